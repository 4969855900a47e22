"""Presets and groups of choices, read from the files of ``conf/``: what they ask and sweep over."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from experiments.config.options import sections_of
from ffn_core.files import REPOSITORY

CONF = REPOSITORY / "conf"

MULTIRUN = ("-m", "--multirun")
_RUNS_NOTHING = ("--cfg", "-c", "--info", "-i", "--shell-completion", "-sc")
_LIST_OF_DEFAULTS = re.compile(r"^  - (\w+): *(\S+)(?: +# (.+))?$", re.MULTILINE)


def preset_name(arguments: Sequence[str]) -> str:
    """The preset that ``arguments`` choose; empty without one."""
    chosen = [a.removeprefix("experiment=") for a in arguments if a.startswith("experiment=")]
    return chosen[-1] if chosen else ""


def _preset_file(arguments: Sequence[str]) -> Path:
    return CONF / "experiment" / f"{preset_name(arguments)}.yaml"


def preset_question(arguments: Sequence[str]) -> str:
    """The text at the head of the preset that ``arguments`` choose, for people who see the runs."""
    path = _preset_file(arguments)
    if not path.is_file():
        return ""
    header = itertools.takewhile(lambda line: line.startswith("#"), path.read_text().splitlines())
    return "\n".join(line.lstrip("# ") for line in header if "@package" not in line).strip()


def preset_axes(arguments: Sequence[str]) -> dict[str, str]:
    """What the preset that ``arguments`` choose sweeps over with ``-m``: values by option."""
    path = _preset_file(arguments)
    if not path.is_file():
        return {}
    values: Any = yaml.safe_load(path.read_text()) or {}
    for key in ("hydra", "sweeper", "params"):
        values = values.get(key) or {}
    return {str(name): str(value) for name, value in values.items()}


def forgotten_multirun(arguments: Sequence[str]) -> str:
    """A line about a preset that is a sweep, where a command makes one run of it; else empty."""
    if {*MULTIRUN, *_RUNS_NOTHING} & set(arguments):
        return ""
    given = {argument.partition("=")[0] for argument in arguments}
    left = [name for name in preset_axes(arguments) if name not in given]
    if not left:
        return ""
    over = " and ".join(filter(None, [", ".join(left[:-1]), left[-1]]))
    return (
        f"experiment={preset_name(arguments)} is a sweep over {over}; without -m this is one run, "
        "with their defaults. Add -m for the sweep"
    )


def with_lists_kept(arguments: Sequence[str]) -> list[str]:
    """The arguments of a sweep, in which a list that the preset goes through stays one value.

    Presets sweep over lists such as ``seed: ${size.seeds}``. Given as ``size.seeds=1,2``, the list
    would be split twice: into points with one list each, and by the preset. In quotes it is taken
    as it is.
    """
    axes = preset_axes(arguments)
    if not set(MULTIRUN) & set(arguments):
        return list(arguments)
    referred = {name for value in axes.values() for name in re.findall(r"\$\{([\w.]+)\}", value)}
    kept = []
    for argument in arguments:
        name, _, value = argument.partition("=")
        plain = not value.startswith(('"', "'", "[")) and '"' not in value
        several = name in referred and "," in value and plain
        kept.append(f'{name}="{value}"' if several else argument)
    return kept


def groups_of(config_name: str, schema: Mapping[str, type]) -> dict[str, str]:
    """Groups of choices of the app that starts from ``conf/NAME.yaml``, and what each is.

    By the comment beside it there, else by the docstring of the section of that name.
    """
    path = CONF / f"{config_name}.yaml"
    found: dict[str, str] = {}
    for name, _, comment in _LIST_OF_DEFAULTS.findall(path.read_text()):
        found[name] = comment or _section_meaning(name, schema.values())
    for name in re.findall(r"^  - (\w+)$", path.read_text(), re.MULTILINE):
        if (CONF / f"{name}.yaml").is_file():
            found |= groups_of(name, schema)
    return dict(sorted(found.items()))


def _section_meaning(name: str, classes: Iterable[type]) -> str:
    for cls in classes:
        for section, meaning, _ in sections_of(cls):
            if section == name:
                return meaning
    return ""
