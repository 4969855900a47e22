"""Write the reference pages and the drawings: `python docs/generate.py`, before `mkdocs build`.

Everything is read from the code: options from the dataclasses and `conf/`, metrics from their
vocabulary, commands from their `--help`. Needs the environment of the project; the site itself is
built in one of its own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import re
import runpy
import sys
import textwrap
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
REPOSITORY = HERE.parent
REFERENCE = HERE / "reference"
CONF = REPOSITORY / "conf"
HELP_WIDTH = "96"

ARGPARSE = {
    "Prepare": ("experiments.data",),
    "Measure a machine": ("experiments.benchmarks", "experiments.soak"),
    "Runs": ("experiments.import_runs", "experiments.mlflow_pages"),
    "Segment": ("experiments.segment_worker", "experiments.export_neuroglancer"),
    "Take a network elsewhere": ("experiments.export",),
    "Analyze": (
        "analysis.figures",
        "analysis.report",
        "analysis.predict",
        "analysis.pictures",
        "analysis.tuned",
        "analysis.recorded",
        "analysis.results",
        "analysis.results.notebooks",
    ),
}
HYDRA = {
    "experiments.train": "config",
    "experiments.sweep_status": "config",
    "experiments.throughput": "throughput",
    "experiments.tune": "tune",
    "experiments.segment": "segment",
    "experiments.segment_checkpoints": "segment",
}
"""Commands whose arguments are options, and the file of `conf/` they start from."""


# Options


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
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from omegaconf import OmegaConf

    from experiments.config import hydra_app
    from experiments.segment.config import SegmentConfig
    from experiments.throughput.plan import ThroughputConfig
    from experiments.throughput.tuning import TuneConfig

    hydra_app.register_schema()
    hydra_app.register_section("throughput", ThroughputConfig)
    hydra_app.register_section("tune", TuneConfig)
    hydra_app.store_schema("segment_schema", SegmentConfig(checkpoint="???"))
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        values = OmegaConf.to_container(compose(file), resolve=False)
    assert isinstance(values, dict)
    return {str(name): value for name, value in values.items()}


def inside(values: dict[str, Any], section: str) -> dict[str, Any]:
    """The values of a section."""
    for name in section.split(".")[:-1]:
        values = values.get(name) or {}
    return values


# Commands


def commands_page() -> str:
    """Commands with their help."""
    parts = [
        "# Commands",
        "Commands run from the repository root, in the environment that the set-up made: "
        "`uv run --no-sync python -m ...`.",
        "## Commands that take options",
        "Their arguments are options, `name=value`: see [Options](options.md). `--cfg job` prints "
        "the configuration, `--help` the choices, and `-m` makes a sweep (train, sweep_status).",
    ]
    for command, file in HYDRA.items():
        text = docstring(command)
        parts.append(f"### `{command}`\n\n{text}\n\nStarts from `conf/{file}.yaml`.")
    parts.append("### `experiments.worker`\n\n" + docstring("experiments.worker"))
    for title, names in ARGPARSE.items():
        parts.append(f"## {title}")
        for name in names:
            text = help_of(name)
            parts.append(f"### `{name}`\n\n```text\n{text}\n```")
            for sub in subcommands(text):
                parts.append(f"#### `{name} {sub}`\n\n```text\n{help_of(name, sub)}\n```")
    parts += ["## Tasks", "`nox -l` lists them; `uvx nox -s NAME` runs one.", tasks()]
    return "\n\n".join(parts)


def docstring(module: str) -> str:
    """What a command's module says of itself."""
    path = REPOSITORY / (module.replace(".", "/") + ".py")
    path = path if path.is_file() else path.with_suffix("") / "__main__.py"
    text = re.match(r'"""(.*?)"""', path.read_text(), re.DOTALL)
    assert text is not None, path
    return text[1].strip().replace("``", "`")


def help_of(module: str, *subcommand: str) -> str:
    """What ``python -m MODULE SUBCOMMAND --help`` prints; run here, where imports are paid once."""
    printed, given = io.StringIO(), sys.argv
    sys.argv = [module, *subcommand, "--help"]
    try:
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            runpy.run_module(module, run_name="__main__", alter_sys=False)
    finally:
        sys.argv = given
        for name in [name for name, loaded in sys.modules.items() if loaded is None]:
            del sys.modules[name]  # what one command does not want, another needs
    text = printed.getvalue().strip()
    if "usage: " not in text:
        raise RuntimeError(f"{module} --help printed no usage: {text[:200]!r}")
    return text


def subcommands(text: str) -> list[str]:
    """The subcommands that a help lists."""
    section = text.partition("\npositional arguments:\n")[2].partition("\n\n")[0]
    return re.findall(r"^ {4}([a-z][\w-]+)(?: |$)", section, re.MULTILINE)


def tasks() -> str:
    """The nox sessions with their docstrings."""
    text = (REPOSITORY / "noxfile.py").read_text()
    found = re.findall(
        r'^@nox\.session.*\ndef (\w+)\(session.*\n    """(.*?)"""', text, re.MULTILINE
    )
    rows = [f"| `{name}` | {cell(what)} |" for name, what in found]
    return "\n".join(["| task | what it does |", "|---|---|", *rows])


# Metrics, exit codes, files, claims, API


def metrics_page() -> str:
    """Every metric that is recorded."""
    from ffn_core.metric_names import METRICS

    groups: dict[str, list[str]] = {}
    for name, metric in METRICS.items():
        group, _, rest = name.partition("/")
        row = f"| `{name}` | {metric.unit} | {cell(metric.meaning)} |"
        groups.setdefault(group if rest else "alone", []).append(row)
    parts = [
        "# Metrics",
        "The MLflow step is the number of FOVs processed, summed over nodes. `*` stands for a "
        "rank or the name of a host. tp, fp and fn are true positives, false positives and false "
        "negatives.",
    ]
    for group, rows in groups.items():
        title = "Without a group" if group == "alone" else f"`{group}/`"
        parts.append("\n".join([f"## {title}", "", "| metric | unit | meaning |", "|---|---|---|"]))
        parts[-1] += "\n" + "\n".join(rows)
    return "\n\n".join(parts)


def exit_codes_page() -> str:
    """The exit codes with their meaning."""
    text = (REPOSITORY / "experiments/reporting/exit_codes.py").read_text()
    found = re.findall(r'^EXIT_(\w+) = (\d+)\n"""(.*?)"""', text, re.MULTILINE | re.DOTALL)
    rows = [f"| {code} | {name.lower()} | {cell(what)} |" for name, code, what in found]
    return "\n".join(
        [
            "# Exit codes",
            "",
            "| code | name | meaning |",
            "|---|---|---|",
            "| 0 | done | |",
            *rows,
            "",
            "A command returns 0, 1 (a point failed, see its `failure.json`), 2 or 130. The others "
            "are those of a rank (`experiments.worker`), for batch scripts.",
        ]
    )


def run_directory_page() -> str:
    """The files of a run, and what is in them."""
    from experiments.reporting import run_files

    lines = (run_files.__doc__ or "").splitlines()
    rows: list[str] = []
    for line in lines:
        if match := re.match(r"``(.+?)`` +(.*)", line):
            rows.append(f"| `{match[1]}` | {cell(match[2])} |")
    record = attribute_texts(run_files.Record)
    fields = [f"| `{name}` | {cell(text)} |" for name, text in record.items()]
    return "\n".join(
        [
            "# Run directory",
            "",
            "Each run has a folder `runs/EXPERIMENT/POINT-IDENTITY/`. POINT names the options that "
            "the sweep changes, IDENTITY is a digest of the whole configuration. It is the truth "
            "about the run; MLflow holds a copy.",
            "",
            "| file or folder | what it holds |",
            "|---|---|",
            *rows,
            "| `logs/` | output of every rank |",
            "| `job/` | script, id and configuration of its Slurm jobs |",
            "",
            "## A record of `metrics.jsonl`",
            "",
            "One JSON object on each line:",
            "",
            "| key | meaning |",
            "|---|---|",
            *fields,
            "",
            "The names in `metrics` are those of [Metrics](metrics.md). A damaged last line (a run "
            "that was killed while it wrote) is repaired when the run continues.",
        ]
    )


def claims_page() -> str:
    """The plan of the study: every claim and what decides it."""
    from analysis.verdicts.plan import CLAIMS

    rows = []
    for claim in CLAIMS:
        region = claim.region.words() if claim.region else f"not testable here: {claim.takes}"
        studies = ", ".join(f"`{name}`" for name in claim.studies)
        rows.append(f"| {claim.claim} | {studies} | {claim.measure} | {cell(region)} |")
    return "\n".join(
        [
            "# The plan of the study",
            "",
            "What decides each claim of the second edition, as written down before its runs "
            "(`analysis/verdicts/plan.py`). [Verdicts](../concepts/verdicts.md) explains the "
            "words.",
            "",
            "| claim | presets | effect | decided by the 95 % interval of the effect |",
            "|---|---|---|---|",
            *rows,
        ]
    )


def api_page() -> str:
    """The library, a section for each module."""
    parts = ["# Python API", "The library `ffn_core`, which works without the study around it."]
    packages: dict[str, list[str]] = {}
    for path in sorted((REPOSITORY / "ffn_core").rglob("*.py")):
        module = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
        if path.name == "__init__.py":
            continue
        packages.setdefault(module.rpartition(".")[0], []).append(module)
    for package, modules in packages.items():
        parts.append(f"## `{package}`")
        parts += [f"::: {module}" for module in modules]
    return "\n\n".join(parts)


def main() -> None:
    """Write everything."""
    sys.path[:0] = [str(REPOSITORY), str(HERE)]
    os.environ["COLUMNS"] = HELP_WIDTH
    import drawings

    pages = {
        "options": options_page,
        "metrics": metrics_page,
        "commands": commands_page,
        "exit-codes": exit_codes_page,
        "run-directory": run_directory_page,
        "claims": claims_page,
        "api": api_page,
    }
    REFERENCE.mkdir(exist_ok=True)
    for name, page in pages.items():
        (REFERENCE / f"{name}.md").write_text(page() + "\n")
    folder = HERE / "drawings"
    folder.mkdir(exist_ok=True)
    for name, drawing in drawings.DRAWINGS.items():
        (folder / f"{name}.svg").write_text(drawing())


if __name__ == "__main__":
    main()
