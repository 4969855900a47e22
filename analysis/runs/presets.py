"""What a preset of conf/experiment plans: how many points, and what the pilot has set for it."""

from __future__ import annotations

import itertools
import math
import re
from pathlib import Path
from typing import Any, Final

import yaml

from ffn_core.files import REPOSITORY

CONF: Final = REPOSITORY / "conf"

UNSET: Final = "???"

_REFERENCE = re.compile(r"\$\{size\.(\w+)\}")


def planned_points(experiment: str, size: str = "small", conf: Path = CONF) -> int | None:
    """Points of a preset at a size; None where there is no such preset or it is no sweep.

    Args:
        experiment: name of a file in conf/experiment.
        size: name of a file in conf/size, whose values the preset may refer to, unless it names
            one itself.
        conf: folder of the configuration.
    """
    preset = conf / "experiment" / f"{experiment}.yaml"
    if not preset.is_file():
        return None
    written = yaml.safe_load(preset.read_text())
    values = yaml.safe_load((conf / "size" / f"{_size(written, size)}.yaml").read_text())["size"]
    values |= tuned_values(conf)
    swept = written.get("hydra", {}).get("sweeper", {}).get("params")
    if not swept:
        return None
    return math.prod(
        _choices(_REFERENCE.sub(lambda found: str(values[found[1]]), str(value)))
        for value in swept.values()
    )


def question(experiment: str, conf: Path = CONF) -> str:
    """What the preset of this name is to answer: the text at its head, before its commands.

    Empty where there is no such preset.
    """
    path = conf / "experiment" / f"{experiment}.yaml"
    if not path.is_file():
        return ""
    header = itertools.takewhile(lambda line: line.startswith("#"), path.read_text().splitlines())
    said = "\n".join(line.lstrip("# ") for line in header if "@package" not in line)
    return said.partition("\n\n")[0].replace("\n", " ").strip()


def pilot_target(conf: Path = CONF) -> float | None:
    """The score whose cost the study asks for; None until the pilot has set it."""
    value = tuned_values(conf)["target"]
    return None if value == UNSET else float(value)


def tuned_values(conf: Path = CONF) -> dict[str, float | str]:
    """What the pilot sets, by name; `UNSET` where it has not yet."""
    return dict(yaml.safe_load((conf / "tuned" / "study.yaml").read_text()))


def _size(written: dict[str, Any], size: str) -> str:
    """The size that a preset names in its defaults, else the given one."""
    named = [d["override /size"] for d in written.get("defaults", []) if "override /size" in d]
    return named[-1] if named else size


def _choices(value: str) -> int:
    """Comma-separated choices; commas inside braces, brackets or parentheses do not separate."""
    depth, count = 0, 1
    for character in value:
        depth += (character in "{[(") - (character in "}])")
        count += character == "," and depth == 0
    return count
