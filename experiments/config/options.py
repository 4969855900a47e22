"""The options of a configuration by their dotted names: what they are, and what each may be.

Read from the dataclasses of the schema; help, messages and tests are made of it.
"""

from __future__ import annotations

import dataclasses
import difflib
import textwrap
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ffn_core.command import about
from ffn_core.limits.ranges import Range, doc_of, range_of

INTERNAL = ("stage",)
"""Options that are set when ranks are started, and never typed."""

_WORDS = {int: "an integer", float: "a number", bool: "true or false", str: "text"}


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes:
        name: Dotted; ``[]`` after a list whose elements have options of their own.
        hint: Its type.
        default: Value if it is not given; `dataclasses.MISSING` if it must be given.
        doc: One line that says what it is.
        limits: Range of its numbers; None if it has none.
    """

    name: str
    hint: Any
    default: Any
    doc: str
    limits: Range | None

    @property
    def expected(self) -> str:
        """What it may be, as in ``must be ...``."""
        return expected(self.hint, self.limits)

    @property
    def shown_default(self) -> str:
        """``=DEFAULT`` as it would be typed; empty where it must be given."""
        if self.default is dataclasses.MISSING:
            return ""
        plain = {None: "null", True: "true", False: "false"}
        known = isinstance(self.default, bool) or self.default is None
        return f"={plain[self.default] if known else self.default}".replace(" ", "")

    @property
    def is_number(self) -> bool:
        """Whether it holds numbers."""
        return {int, float} & _leaves(self.hint) != set()


def options_of(cls: type, prefix: str = "") -> Iterator[Option]:
    """All options of a dataclass, those of its sections included, in order."""
    hints = typing.get_type_hints(cls)
    for declared in dataclasses.fields(cls):
        name, hint = f"{prefix}{declared.name}", hints[declared.name]
        if dataclasses.is_dataclass(hint):
            yield from options_of(hint, f"{name}.")  # type: ignore[arg-type]
            continue
        default = declared.default
        if declared.default_factory is not dataclasses.MISSING:
            default = declared.default_factory()
        yield Option(name, hint, default, doc_of(declared), range_of(declared))
        (element, *_) = typing.get_args(hint) or (None,)
        if dataclasses.is_dataclass(element):
            yield from options_of(element, f"{name}[].")  # type: ignore[arg-type]


def expected(hint: Any, limits: Range | None = None) -> str:
    """What a value of a type and range may be, in words for ``must be ...``."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        (of,) = (arg for arg in args if arg is not type(None))
        return f"{expected(of, limits)}, or null"
    if origin is list:
        return f"a list, as [a,b], each {expected(args[0], limits)}"
    if origin is dict:
        return f"values by name, as {{name:value}}, each {expected(args[1], limits)}"
    if dataclasses.is_dataclass(hint):
        names = ", ".join(declared.name for declared in dataclasses.fields(hint))
        return f"options by name, as {{name:value}}, of {names}"
    words = _WORDS.get(hint, "a value")
    return f"{words} {limits}".rstrip() if limits is not None else words


def sections_of(cls: type, prefix: str = "") -> Iterator[tuple[str, str, list[Option]]]:
    """Every section of a dataclass, itself first: name, what it is, the options right in it."""
    meaning = about(" ".join((cls.__doc__ or "").partition("\n\n")[0].split()))
    hints = typing.get_type_hints(cls)
    below = [
        (declared.name, hints[declared.name])
        for declared in dataclasses.fields(cls)
        if dataclasses.is_dataclass(hints[declared.name])
    ]
    inside = tuple(f"{prefix}{name}." for name, _ in below)
    own = [one for one in options_of(cls, prefix) if not one.name.startswith(inside)]
    yield prefix.rstrip("."), meaning, [one for one in own if one.name not in INTERNAL]
    for name, section in below:
        yield from sections_of(section, f"{prefix}{name}.")


def help_text(
    docstring: str | None, schema: Mapping[str, type], conf: Path, groups: Mapping[str, str]
) -> str:
    """The help of an app: what it does, examples, and all its groups and options.

    Args:
        docstring: of the command's module.
        schema: dataclasses of sections by name, ``""`` for what is beside them.
        conf: folder of the groups of choices.
        groups: what each group of choices of the app is, by name.
    """
    lines = [about(docstring), "", "Options are given as NAME=VALUE, a sweep as -m NAME=A,B,..."]
    if groups:
        lines += ["", "Choices that set several options at a time (files of conf/NAME/):"]
    for group, meaning in groups.items():
        choices = sorted(path.stem for path in (conf / group).glob("*.yaml"))
        lines += ["", f"{group}: {meaning}", *_wrapped(f"{group}={'|'.join(choices)}", 2)]
    for section, cls in schema.items():
        for name, meaning, options in sections_of(cls, f"{section}." if section else ""):
            if options:
                lines += ["", f"{name}: {meaning}" if name else "Options in no section:"]
            for option in options:
                lines += _help_of(option)
    lines += [
        "",
        "--cfg job shows what the given options come to and runs nothing, --version the version,",
        "--hydra-help more; completion of options in a shell: docs/guides/commands.md.",
    ]
    return "\n".join(lines)


def _help_of(option: Option) -> list[str]:
    name = f"{option.name}{option.shown_default}"
    of_list, _, element = option.name.partition("[].")
    if element:  # is typed within its list
        name = f"{of_list}=[{{{element}:...}}]"
    return [f"  {name}", *_wrapped(f"{option.doc}; {option.expected}", 6)]


def _wrapped(text: str, indent: int) -> list[str]:
    space = " " * indent
    text = text.replace("|", "| ") if indent == 2 else text
    lines = textwrap.wrap(
        text, 96, initial_indent=space, subsequent_indent=space, break_on_hyphens=False
    )
    return [line.replace("| ", "|") for line in lines] if indent == 2 else lines


def closest(name: str, known: Iterable[str]) -> str:
    """``; did you mean ...?`` with the known name that is most like ``name``; empty for none."""
    known = list(known)
    section, dot, last = name.rpartition(".")
    beside = [one.rpartition(".")[2] for one in known if one.rpartition(".")[0] == section]
    found = [f"{section}{dot}{one}" for one in difflib.get_close_matches(last, beside, n=1)]
    if not beside and dot:  # the section is what is wrong
        found = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
    if not found:  # the last part may be right, in another section
        found = [one for one in known if one.rpartition(".")[2] == last][:1]
    return f"; did you mean {found[0]}?" if found else ""


def _leaves(hint: Any) -> set[Any]:
    args = typing.get_args(hint)
    return set().union(*(_leaves(arg) for arg in args)) if args else {hint}
