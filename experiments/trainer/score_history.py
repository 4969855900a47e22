"""The score a run is judged by: its last evaluations and its best one."""

from __future__ import annotations

from typing import Any

from ffn_core.metric_names import LOSS, SCORE_BEST, SCORE_BEST_FOVS, SCORE_FINAL


class ScoreHistory:
    """One score over the evaluations of a run.

    Attributes:
        name: of the metric that is the score.
        best: its best value so far; None before the first.
        best_fovs: FOVs the run had trained on then.
    """

    def __init__(self, name: str, last: int) -> None:
        """Start without an evaluation; ``last`` of them make the final score."""
        self.name = name
        self._last = last
        self._falling = name.rpartition("/")[2] == LOSS
        self._recent: list[float] = []
        self.best: float | None = None
        self.best_fovs = 0

    def add(self, fovs: int, metrics: dict[str, float]) -> bool:
        """Take in an evaluation after ``fovs`` FOVs; returns whether it is the best so far."""
        value = metrics.get(self.name)
        if value is None:
            return False
        self._recent = [*self._recent, value][-self._last :]
        if self.best is not None and not self._better(value, self.best):
            return False
        self.best, self.best_fovs = value, fovs
        return True

    def metrics(self) -> dict[str, float]:
        """``score/final``, the mean of the last evaluations, ``score/best`` and where that was."""
        if self.best is None:
            return {}
        return {
            SCORE_FINAL: sum(self._recent) / len(self._recent),
            SCORE_BEST: self.best,
            SCORE_BEST_FOVS: float(self.best_fovs),
        }

    def summary(self) -> dict[str, Any] | None:
        """The same with the score's name and how many evaluations the mean is of; JSON-ready."""
        if self.best is None:
            return None
        return {"name": self.name, "evaluations": len(self._recent)} | self.metrics()

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {
            "name": self.name,
            "recent": self._recent,
            "best": self.best,
            "best_fovs": self.best_fovs,
        }

    def restore(self, state: dict[str, Any] | None) -> None:
        """Continue from `state`; one of another score, or none as in older runs, is left out."""
        if state is not None and state["name"] == self.name:
            self._recent = list(state["recent"])
            self.best, self.best_fovs = state["best"], state["best_fovs"]

    def keep_best(self, state: dict[str, Any] | None) -> None:
        """Take the best of a `state` over if it is better than what there is.

        The best checkpoint may be newer than the one a run is resumed from.
        """
        if state is None or state["name"] != self.name or state["best"] is None:
            return
        if self.best is None or self._better(state["best"], self.best):
            self.best, self.best_fovs = state["best"], state["best_fovs"]

    def _better(self, value: float, than: float) -> bool:
        return value < than if self._falling else value > than
