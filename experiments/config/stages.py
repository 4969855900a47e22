"""Stages: a run that changes its number of nodes and its rate on the way. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from ffn_core.errors import InputError
from ffn_core.limits.ranges import MOST_FOVS, MOST_NODES, SMALLEST, Range, described, number


@dataclass(frozen=True)
class StageConfig:
    """A stage of a run: ``fovs`` FOVs on ``nodes`` nodes.

    ``base`` is scaled by ``learning_rate.rule`` as everywhere.
    """

    nodes: int = field(metadata=described("logical nodes", Range(at_least=1, at_most=MOST_NODES)))
    fovs: int = field(
        metadata=described("FOVs over all nodes", Range(at_least=1, at_most=MOST_FOVS))
    )
    base: float | None = number(
        None, "rate of one node; null: learning_rate.base", at_least=SMALLEST, at_most=1e6
    )
    ranks: int | None = number(
        None,
        "processes; null: cluster.ranks, 0: as many as fit",
        at_least=0,
        at_most=MOST_NODES,
    )


def stage_ends(stages: Sequence[StageConfig]) -> list[int]:
    """FOVs that a run has trained on at the end of each stage."""
    return list(accumulate(stage.fovs for stage in stages))


def stage_at(stages: Sequence[StageConfig], fovs: int) -> int:
    """Index of the stage that a run is in after ``fovs`` FOVs; of the last at and after its end."""
    ends = stage_ends(stages)
    return next((index for index, end in enumerate(ends) if fovs < end), len(ends) - 1)


def check_stages(
    stages: Sequence[StageConfig], local_batch_size: int, budget_fovs: int | None
) -> None:
    """Check that stages hold whole steps and fill the budget.

    Raises:
        InputError: they do not.
    """
    for index, stage in enumerate(stages):
        step = stage.nodes * local_batch_size
        if stage.fovs % step:
            raise InputError(
                f"stages[{index}].fovs={stage.fovs} is not a whole number of steps of {step} FOVs "
                f"({stage.nodes} nodes): make it {stage.fovs // step * step or step}"
            )
    total = stage_ends(stages)[-1]
    if budget_fovs != total:
        raise InputError(
            f"stages take {total} FOVs in sum, and budget.fovs={budget_fovs}: make them equal, or "
            "leave out the budget"
        )


def in_words(stages: Sequence[StageConfig]) -> str:
    """Stages on one line: ``4 nodes 8000 FOVs lr 0.001, 16 nodes 8000 FOVs``; ``none`` for none."""
    words = []
    for stage in stages:
        rate = "" if stage.base is None else f" lr {stage.base:g}"
        words.append(f"{stage.nodes} nodes {stage.fovs} FOVs{rate}")
    return ", ".join(words) or "none"
