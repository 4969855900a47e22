"""Stages: a run that changes its number of nodes and its rate on the way. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from experiments.config.parsing import at_least_one
from ffn_core.errors import InputError


@dataclass(frozen=True)
class StageConfig:
    """A stage of a run: ``fovs`` FOVs on ``nodes`` nodes.

    ``base`` is the base rate there (None: ``learning_rate.base``), scaled by ``learning_rate.rule``
    as everywhere; ``ranks`` the processes that carry the nodes (None: ``cluster.ranks``).
    """

    nodes: int
    fovs: int
    base: float | None = None
    ranks: int | None = None

    def __post_init__(self) -> None:
        at_least_one("stages", self, "nodes", "fovs")
        if self.base is not None and self.base <= 0:
            raise InputError(f"stages.base={self.base} must be above 0")
        if self.ranks is not None and self.ranks < 0:
            raise InputError(f"stages.ranks={self.ranks} must be at least 0 (as many as fit)")


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
