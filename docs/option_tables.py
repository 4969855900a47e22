"""The page of all options: from the dataclasses, the files of `conf/` and their comments."""

from __future__ import annotations

import dataclasses
import re
import textwrap
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CONF = Path(__file__).parents[1] / "conf"


def option_rows(
    cls: type, values: dict[str, Any], comments: dict[str, str], prefix: str = ""
) -> Iterator[tuple[str, str, str, str]]:
    """Name, type, default and meaning of every option of a dataclass that is no section."""
    hints, described = typing.get_type_hints(cls), attribute_texts(cls)
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        name, hint = f"{prefix}{field.name}", hints[field.name]
        if dataclasses.is_dataclass(hint):
            continue
        default = values.get(field.name, default_of(field))
        meaning = field.metadata.get("doc") or described.get(field.name) or comments.get(name, "")
        meaning = meaning or elsewhere(cls, field.name)
        if limits := words_of(field.metadata.get("range")):
            meaning = f"{meaning} ({limits})"
        yield name, type_words(hint), shown(default), meaning


def words_of(limits: Any) -> str:
    """A range in words; the largest integer is none that people need to see."""
    text = str(limits or "")
    return "0 or more" if text == f"from 0 to {2**63 - 1:,}" else text


def sections(cls: type, prefix: str = "") -> Iterator[tuple[str, type]]:
    """The dataclass and those in it, each with the prefix of its options."""
    yield prefix, cls
    for name, hint in typing.get_type_hints(cls).items():
        if dataclasses.is_dataclass(hint) and name in {
            field.name
            for field in dataclasses.fields(cls)  # type: ignore[arg-type]
        }:
            yield from sections(hint, f"{prefix}{name}.")  # type: ignore[arg-type]


def type_words(hint: Any) -> str:
    """A type as people say it: ``whole number or null``."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        of = next(a for a in arguments if a is not type(None))
        return f"{type_words(of)} or null"
    if origin is list:
        return f"list of {plural(type_words(arguments[0]))}"
    if origin is dict:
        return f"{plural(type_words(arguments[1]))} by name"
    names = {int: "whole number", float: "number", bool: "true or false", str: "text"}
    return names.get(hint, "options" if dataclasses.is_dataclass(hint) else "any")


def plural(words: str) -> str:
    """A type of several."""
    return words if words in ("text", "options", "true or false", "any") else f"{words}s"


def default_of(field: dataclasses.Field[Any]) -> Any:
    """Default of a field; MISSING where it must be given."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def shown(value: Any) -> str:
    """A default as it is typed."""
    if value is dataclasses.MISSING or value == "???":
        return "must be given"
    if isinstance(value, str):
        return f"`{value}`"
    if isinstance(value, list) and any(dataclasses.is_dataclass(one) for one in value):
        return "`[]`"
    text = yaml.safe_dump(value, default_flow_style=True, width=1000).split("\n")[0]
    return f"`{text}`"


def attribute_texts(cls: type) -> dict[str, str]:
    """The ``Attributes:`` of a docstring."""
    _, _, listed = (cls.__doc__ or "").partition("Attributes:\n")
    found = re.findall(
        r"^(\w+(?:, \w+)*): (.*(?:\n +\S.*)*)", textwrap.dedent(listed), re.MULTILINE
    )
    texts: dict[str, str] = {}
    for names, text in found:
        texts |= dict.fromkeys(names.split(", "), " ".join(text.split()))
    return {name: text.removesuffix(".") for name, text in texts.items()}


def elsewhere(cls: type, name: str) -> str:
    """Where the docstring, which stands above the table, says what an option is."""
    return "see above" if f"``{name}``" in (cls.__doc__ or "") else ""


def comments_of(path: Path) -> dict[str, str]:
    """Comments at the end of the lines of a YAML file, by dotted name."""
    stack: list[tuple[int, str]] = []
    found: dict[str, str] = {}
    for line in path.read_text().splitlines():
        match = re.match(r"^( *)([\w/]+):(.*?)(?: +# (.*))?$", line)
        if not match:
            continue
        indent = len(match[1])
        stack = [(depth, name) for depth, name in stack if depth < indent] + [(indent, match[2])]
        if match[4]:
            found[".".join(name for _, name in stack)] = match[4]
    return found


def options_page() -> str:
    """Every option of a run, of a segmentation, of a measurement."""
    from experiments.config import schema
    from experiments.segment.config import SegmentConfig
    from experiments.throughput.plan import ThroughputConfig
    from experiments.throughput.tuning import TuneConfig

    apps = (
        ("Training", "experiments.train", "config", schema.Config, ""),
        ("Throughput", "experiments.throughput", "throughput", ThroughputConfig, "throughput."),
        ("Tuning", "experiments.tune", "tune", TuneConfig, "tune."),
        ("Segmentation", "experiments.segment", "segment", SegmentConfig, ""),
    )
    parts = [
        "# Options",
        "Every option can be given on the command line as `name=value`, or in a file of `conf/`. "
        "Lists are written `[1,2]`. The default is the value without a preset. "
        "`python -m experiments.train experiment=NAME --cfg job` prints the values of a preset.",
    ]
    for title, command, file, cls, prefix in apps:
        parts.append(f"## {title}\n\nOptions of `python -m {command}`.")
        values, comments = composed(file), comments_of(CONF / f"{file}.yaml")
        if prefix:
            parts.append("A training run's options may be changed too.")
        for section, section_cls in sections(cls, prefix):
            if file == "segment" and section == "launcher.":
                parts.append("### `launcher`\n\nAs of training.")
                continue
            at = inside(values, section)
            rows = list(option_rows(section_cls, at, comments, section))
            parts.append(section_text(section, section_cls, rows))
    parts += ["## Elements of lists", element_tables(schema)]
    parts += ["## Choices", choices()]
    return "\n\n".join(parts)


def section_text(section: str, cls: type, rows: list[tuple[str, str, str, str]]) -> str:
    """A heading, what the docstring says, and a table."""
    heading = f"### `{section.rstrip('.')}`" if section else "### Top level"
    about = textwrap.dedent(f"    {(cls.__doc__ or '').partition('Attributes:')[0]}").strip()
    about = re.sub(r"`([\w.]+)`", r"`\1`", about.replace("``", "`"))
    table = ["| option | type | default | meaning |", "|---|---|---|---|"]
    table += [f"| `{n}` | {t} | {cell(d)} | {cell(m)} |" for n, t, d, m in rows if n != "stage"]
    return "\n\n".join([heading, about, "\n".join(table)])


def cell(text: str) -> str:
    """Text for a cell of a table."""
    return text.replace("``", "`").replace("|", "\\|").replace("\n", " ")


def element_tables(schema: Any) -> str:
    """Options of the elements of lists."""
    from experiments.config.stages import StageConfig

    lists = {
        "data.volumes[], validation.volumes[]": schema.VolumeConfig,
        "stages[]": StageConfig,
    }
    return "\n\n".join(
        section_text(name, cls, list(option_rows(cls, {}, {}))) for name, cls in lists.items()
    )


def choices() -> str:
    """Files of `conf/` by group, with their first comment."""
    parts = []
    for folder in sorted(path for path in CONF.iterdir() if path.is_dir()):
        if folder.name == "tuned":
            continue
        lines = [f"### `{folder.name}=NAME`", "", "| name | what it is |", "|---|---|"]
        for path in sorted(folder.glob("*.yaml")):
            lines.append(f"| `{path.stem}` | {cell(first_comment(path))} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def first_comment(path: Path) -> str:
    """The first paragraph of the comment that a file opens with."""
    words: list[str] = []
    for line in path.read_text().splitlines():
        if line.startswith("# @package"):
            continue
        if not line.startswith("# "):
            break
        words.append(line[2:])
    return " ".join(words)


def composed(file: str) -> dict[str, Any]:
    """What Hydra makes of a file of `conf/` without overrides."""
    from experiments.config import hydra_app
    from experiments.segment.config import SegmentConfig
    from experiments.throughput.plan import ThroughputConfig
    from experiments.throughput.tuning import TuneConfig

    hydra_app.register_schema()
    hydra_app.register_section("throughput", ThroughputConfig)
    hydra_app.register_section("tune", TuneConfig)
    hydra_app.store_schema("segment_schema", SegmentConfig(checkpoint="???"))
    return hydra_app.without_overrides(file)


def inside(values: dict[str, Any], section: str) -> dict[str, Any]:
    """The values of a section."""
    for name in section.split(".")[:-1]:
        values = values.get(name) or {}
    return values
