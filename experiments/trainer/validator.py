"""Scores of a run on its held-out canvases, pooled over all ranks."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from pathlib import Path

from experiments.config.schema import Config
from experiments.reporting.run_files import CANVASES
from experiments.trainer.canvas_pictures import CanvasPictures
from experiments.trainer.timing import TrainingClock
from ffn_core.metric_names import AVERAGED, BASELINE_F1, VALIDATION, VALIDATION_SHARE
from ffn_core.scores.validation import Predict, Score, evaluate, held_out_canvases
from ffn_core.training.averaging import AveragedWeights
from ffn_core.training.distributed import Collectives
from ffn_core.training.examples import Canvas, CanvasSource
from ffn_core.training.train_step import Predictor


class Validator:
    """Scores the weights of a run as they are, and averaged; the same calls on every rank.

    Attributes:
        clock: time it has taken, continued from an earlier process if there was one.
    """

    def __init__(
        self,
        config: Config,
        sources: Sequence[CanvasSource],
        collectives: Collectives,
        network: Predictor,
        average: AveragedWeights | None,
        run_dir: Path,
    ) -> None:
        """Nothing is drawn or computed yet.

        Args:
            config: the run.
            sources: of held-out canvases, which are taken from them in turn; none: no scores.
            collectives: to the other ranks.
            network: that is trained.
            average: of its weights, if one is kept.
            run_dir: where pictures go.
        """
        self._config = config
        self._sources = sources
        self._collectives = collectives
        self._average = average
        self._network = network
        self._twin = Predictor(copy.deepcopy(network.model))
        rank = collectives.topology.rank
        self._pictures = CanvasPictures(
            run_dir / CANVASES,
            0 if rank else config.report.canvases,
            config.seed_values.move_logit,
            voxel_edges(sources),
        )
        self.clock = TrainingClock()

    def scores(self, fovs: int, baseline: bool = False) -> dict[str, float]:
        """Metrics ``validation/*`` and, if an average is kept, ``averaged/*``.

        Args:
            fovs: FOVs the run has trained on.
            baseline: whether ``baseline/f1`` is to be among the metrics.
        """
        if not self._sources:
            return {}
        with self.clock.running():
            score, canvases = self._evaluate(self._network)
            metrics = score.rates(VALIDATION)
            if baseline:
                metrics[BASELINE_F1] = score.baseline_f1
            if self._average is not None:
                self._twin.model.assign(self._average.values())
                score, canvases = self._evaluate(self._twin)
                metrics |= score.rates(AVERAGED)
            self._pictures.write(fovs, canvases)
        return metrics

    def share_of(self, training_s: float) -> dict[str, float]:
        """Metric: share of validation in the time of validation and training (``training_s``)."""
        total_s = self.clock.elapsed_s + training_s
        return {VALIDATION_SHARE: self.clock.elapsed_s / total_s} if total_s else {}

    def _evaluate(self, predict: Predict) -> tuple[Score, list[Canvas]]:
        """Score of all ranks, and the canvases of this one."""
        options, topology = self._config.validation, self._collectives.topology
        share = range(topology.rank, options.canvases, topology.size)
        canvases = held_out_canvases(self._sources, options.seed, share)
        wide = math.ceil(options.subset * options.canvases)
        subset = [canvas for index, canvas in zip(share, canvases, strict=True) if index < wide]
        threshold = self._config.seed_values.move_logit
        mine = evaluate(predict, canvases, options.batch_size, threshold, subset)
        return Score.from_array(self._collectives.sum(mine.as_array())), canvases


def voxel_edges(sources: Sequence[CanvasSource]) -> tuple[float, float, float]:
    """Edges (z, y, x) of a voxel of the first held-out volume in nm; all 1 if it does not say."""
    said = sources[0].volumes[0].image.placement.voxel_nm if sources else None
    return said or (1.0, 1.0, 1.0)
