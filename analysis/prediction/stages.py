"""The modeled time of a plan in stages, for `analysis.predict --stages`. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.models.model_average import ThroughputModel
from analysis.models.time_and_cost import seconds_of_stages
from ffn_core.errors import InputError


@dataclass(frozen=True)
class PlannedStage:
    """One stage of a plan: FOVs, and the nodes that process them."""

    nodes: int
    fovs: int


def parse_stages(text: str) -> list[PlannedStage]:
    """Stages of ``4:8000,16:8000``: nodes and FOVs of each.

    Raises:
        InputError: it does not read like that.
    """
    stages = []
    for word in text.split(","):
        nodes, _, fovs = word.partition(":")
        if not (nodes.strip().isdecimal() and fovs.strip().isdecimal() and int(nodes) * int(fovs)):
            raise InputError(
                f"--stages {text}: {word!r} should be NODES:FOVS, both above 0, "
                "as in 4:8000,16:8000"
            )
        stages.append(PlannedStage(int(nodes), int(fovs)))
    return stages


def describe_stages(stages: Sequence[PlannedStage], throughput: ThroughputModel) -> list[str]:
    """Hours and node-hours of a plan, and of its FOVs on its fewest and most nodes throughout.

    What it says is time, not how far the plan brings the score: that takes runs in stages.
    """
    nodes = np.array([stage.nodes for stage in stages], dtype=float)
    ends = np.cumsum([stage.fovs for stage in stages]).astype(float)
    rate = np.asarray(throughput.throughput(nodes))
    until = seconds_of_stages(ends, rate, ends) / 3600
    hours = np.diff(np.concatenate([[0.0], until]))
    lines = [
        f"stage of {stage.fovs} FOVs on {stage.nodes} nodes: {time:.3g} h"
        for stage, time in zip(stages, hours, strict=True)
    ]
    lines.append(
        f"all stages: {ends[-1]:g} FOVs in {until[-1]:.3g} h, {hours @ nodes:.3g} node-hours"
    )
    for count in sorted({nodes.min(), nodes.max()}):
        constant = ends[-1] / float(np.asarray(throughput.throughput([count]))[0]) / 3600
        lines.append(
            f"as many FOVs on {count:g} nodes throughout: {constant:.3g} h, "
            f"{count * constant:.3g} node-hours"
        )
    return lines
