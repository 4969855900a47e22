"""How many points a preset has: the product of what its sweep varies."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Final

import yaml

from ffn_core.files import REPOSITORY

CONF: Final = REPOSITORY / "conf"

_REFERENCE = re.compile(r"\$\{size\.(\w+)\}")


def planned_points(experiment: str, size: str = "small", conf: Path = CONF) -> int | None:
    """Points of a preset at a size; None where there is no such preset or it is no sweep.

    Args:
        experiment: name of a file in conf/experiment.
        size: name of a file in conf/size, whose values the preset may refer to.
        conf: folder of the configuration.
    """
    preset = conf / "experiment" / f"{experiment}.yaml"
    if not preset.is_file():
        return None
    values = yaml.safe_load((conf / "size" / f"{size}.yaml").read_text())["size"]
    swept = yaml.safe_load(preset.read_text()).get("hydra", {}).get("sweeper", {}).get("params")
    if not swept:
        return None
    return math.prod(
        _choices(_REFERENCE.sub(lambda found: str(values[found[1]]), str(value)))
        for value in swept.values()
    )


def _choices(value: str) -> int:
    """Comma-separated choices; commas inside braces, brackets or parentheses do not separate."""
    depth, count = 0, 1
    for character in value:
        depth += (character in "{[(") - (character in "}])")
        count += character == "," and depth == 0
    return count
