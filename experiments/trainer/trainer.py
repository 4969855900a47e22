"""The training loop of one rank."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from experiments.config.schema import Config
from experiments.data.dataset import canvas_sources
from experiments.launch.stop_request import StopRequest
from experiments.reporting.run_files import RunDirectory
from experiments.trainer.checkpointing import Checkpointer, diverged
from experiments.trainer.metrics import Meter
from experiments.trainer.recorder import Recorder
from experiments.trainer.score_history import ScoreHistory
from experiments.trainer.timing import REDUCE, TrainingClock
from experiments.trainer.validator import Validator
from ffn_core import metric_names as names
from ffn_core.training.batches import MicroBatch, micro_batch_size
from ffn_core.training.distributed import Collectives
from ffn_core.training.examples import CanvasSource, ExampleStream
from ffn_core.training.train_step import StepResult, TrainStep, make_train_step


class Trainer:
    """Synchronous data-parallel training; one object per rank, the same calls on every rank."""

    def __init__(
        self,
        config: Config,
        run_dir: Path,
        collectives: Collectives,
        recorder: Recorder,
        stop_request: StopRequest,
    ) -> None:
        """Build network and streams, and take up the newest checkpoint of ``run_dir`` if any.

        A ``stop_request`` on any rank stops all of them after the step under way, with a
        checkpoint.
        """
        self._config = config
        self._collectives = collectives
        self._recorder = recorder
        self._stop_request = stop_request
        self._rank = collectives.topology.rank
        self._fovs_per_step = config.cluster.fovs_per_step
        self._schedule = config.schedule()

        source, held_out = canvas_sources(config)
        self._streams = self._make_streams(source)
        self._batch = self._make_batch(source)
        self._train_step = step = self._make_step(source)
        folders = RunDirectory(run_dir)
        self._checkpointer = Checkpointer(
            config,
            folders.checkpoints,
            folders.best,
            collectives,
            step.model,
            step.optimizer,
            step.average,
            self._streams,
        )
        self._meter = Meter(config, collectives)
        self._validator = Validator(
            config, held_out, collectives, step.predict, step.average, run_dir
        )
        self._scores = ScoreHistory(config.score_name, config.score.last)
        self._rate = 0.0
        self._take_up(self._checkpointer.restore())
        self._last_step = self._find_last_step()
        self._steps_in_all = self._last_step and self._last_step + config.later_steps
        self._finished = self._all_steps_done()

    def _make_streams(self, source: CanvasSource) -> list[ExampleStream]:
        """Streams of this rank, those of a node side by side."""
        nodes = self._config.cluster.group.nodes_of(self._rank)
        slots = range(self._config.cluster.local_batch_size)
        seed = self._config.seed
        return [ExampleStream(source, seed, node, slot) for node in nodes for slot in slots]

    def _make_batch(self, source: CanvasSource) -> MicroBatch:
        """Room for as many examples at a time as go through the network together."""
        config, cluster = self._config, self._config.cluster
        size = micro_batch_size(
            cluster.group.common_nodes * cluster.local_batch_size,
            self._fovs_per_step,
            config.model.micro_batch_size,
        )
        return MicroBatch(size, config.model.geometry.fov_zyx, source.partly_labeled)

    def _make_step(self, source: CanvasSource) -> TrainStep:
        """The network with its optimizer, for this rank's share of a step."""
        config, cluster = self._config, self._config.cluster
        return make_train_step(
            config.model.size,
            config.seed,
            config.optimizer.name,
            config.optimizer.arguments,
            reduce_sum=self._collectives.reduce_sum,
            fovs_per_step=self._fovs_per_step,
            micro_batch=len(self._batch.image),
            clip=config.optimizer.clip,
            precision=config.model.precision,
            half_life_fovs=config.averaging.half_life_fovs,
            first_stream=cluster.group.nodes_of(self._rank).start * cluster.local_batch_size,
            partly_labeled=source.partly_labeled,
        )

    def _take_up(self, progress: dict[str, Any] | None) -> None:
        """Continue from what a checkpoint holds beside arrays; None for a run without one."""
        self._begins = progress is None or "begins" in progress
        self._step, self._fovs, elapsed_s = 0, 0, 0.0
        if progress is not None:
            self._step, elapsed_s = progress["step"], progress["elapsed_s"]
            self._fovs = self._config.cluster.fovs_done(progress)
            self._meter.restore(progress.get("meter"))
            self._validator.clock.elapsed_s = progress.get("validation_s", 0.0)
            self._scores.restore(progress.get("score"))
            self._scores.keep_best((self._checkpointer.best_progress() or {}).get("score"))
        self._clock = TrainingClock(elapsed_s)
        self._stages: list[dict[str, Any]] = (progress or {}).get("stages", [])

    def train(self) -> dict[str, Any]:
        """Train until the budget is spent or a stop is requested; returns a summary of the run."""
        config = self._config
        if self._begins:
            self._record(self._validator.scores(self._fovs, baseline=True))
        while not self._finished:
            before = self._clock.elapsed_s
            with self._clock.running():
                result = self._take_step()
            self._take_in(result, self._clock.elapsed_s - before)
            metrics: dict[str, float] = {}
            if self._finished or self._crossed(config.report.every_fovs):
                metrics |= self._meter.take(self._streams, result)
                metrics[names.LEARNING_RATE] = self._rate
            if config.validation.canvases and (
                self._finished or self._crossed(config.validation.every_fovs)
            ):
                metrics |= self._validator.scores(self._fovs)
                metrics |= self._validator.share_of(self._clock.elapsed_s)
                if self._scores.add(self._fovs, metrics):
                    self._checkpointer.save_best(self._step, self._progress())
            if self._finished and self._is_last_stage:
                metrics |= self._scores.metrics()
            self._record(metrics)
            stop = bool(result.stop_votes)
            if self._finished and config.stage is not None:
                self._stages = [*self._stages, self._stage_facts()]
            if self._finished or stop or self._crossed(config.checkpoint.every_fovs):
                self._save()
            if stop:
                break
        summary = {"stages": self._stages} if config.stages else {}
        return summary | {
            "finished": self._finished and self._is_last_stage,
            "stage_finished": self._finished,
            "step": self._step,
            "fovs": self._fovs,
            "elapsed_s": self._clock.elapsed_s,
            "fovs_per_second": self._meter.overall_fovs_per_second(),
            "score": self._scores.summary(),
        }

    @property
    def _is_last_stage(self) -> bool:
        return self._config.stage in (None, len(self._config.stages) - 1)

    def _stage_facts(self) -> dict[str, Any]:
        """What is kept of a stage, with counts as of its end."""
        cluster = self._config.cluster
        return {
            "nodes": cluster.nodes,
            "ranks": cluster.ranks,
            "learning_rate": self._rate,
            "fovs": self._fovs,
            "step": self._step,
            "elapsed_s": self._clock.elapsed_s,
            "fovs_per_second": self._meter.overall_fovs_per_second(),
        }

    def _take_step(self) -> StepResult:
        """One optimizer step over all nodes."""
        phases, batch, step = self._meter.phases, self._batch, self._train_step
        size = len(batch.image)
        for first in range(0, len(self._streams), size):
            streams = self._streams[first : first + size]
            with phases.phase(names.INPUT):
                for stream in streams:
                    stream.advance()
                batch.gather([(s.canvas, s.window) for s in streams])
            with phases.phase(names.COMPUTE):
                logits = step.accumulate(*batch.rows(size)).numpy()
            with phases.phase(names.INPUT):
                for row, stream in enumerate(streams):
                    stream.write(logits[row, ..., 0])
        with phases.phase(REDUCE):
            stop, done = self._stop_request.is_set(), self._out_of_time()
            with self._collectives.waiting():
                total = step.reduce(stop, done)
        with phases.phase(names.UPDATE):
            # Ramps of the rate have their place among all FOVs, whatever the size of a step.
            self._rate = self._schedule(self._fovs / self._fovs_per_step)
            result = step.apply(total, self._rate)
        phases.steps += 1
        return result

    def _take_in(self, result: StepResult, step_s: float) -> None:
        self._step += 1
        self._fovs += self._fovs_per_step
        if not math.isfinite(result.loss):
            raise diverged(self._checkpointer, self._step, result.loss)
        self._meter.add(result, step_s)
        self._finished = bool(result.done_votes) or self._all_steps_done()
        self._recorder.progress(
            step=self._step,
            fovs=self._fovs,
            elapsed_s=self._clock.elapsed_s,
            loss=result.loss,
            budget_steps=self._steps_in_all,
            budget_s=self._config.budget.seconds,
        )

    def _find_last_step(self) -> int | None:
        """Number of the step that ends the run or its stage; None for a budget in seconds."""
        end = self._config.fovs_at_end
        if end is None:
            return self._config.budget.steps
        return self._step + max(0, -(-(end - self._fovs) // self._fovs_per_step))

    def _all_steps_done(self) -> bool:
        return self._last_step is not None and self._step >= self._last_step

    def _out_of_time(self) -> bool:
        """Whether the step under way is the last of a budget in seconds; rank 0's clock counts."""
        seconds = self._config.budget.seconds
        return self._rank == 0 and seconds is not None and self._clock.now_s >= seconds

    def _crossed(self, every_fovs: int) -> bool:
        """Whether the last step took the FOV count over a multiple of ``every_fovs``."""
        return self._fovs // every_fovs > (self._fovs - self._fovs_per_step) // every_fovs

    def _record(self, metrics: dict[str, float]) -> None:
        if metrics:
            elapsed_s = self._clock.elapsed_s
            shared = {names.ELAPSED_S: elapsed_s, names.OPTIMIZER_STEP: float(self._step)}
            if self._config.stages:
                shared[names.CURRENT_NODES] = float(self._config.cluster.nodes)
            self._recorder.record(self._step, self._fovs, elapsed_s, shared | metrics)

    def _progress(self) -> dict[str, Any]:
        """State of everything here that a checkpoint has no arrays for."""
        return {
            "step": self._step,
            "fovs": self._fovs,
            "elapsed_s": self._clock.elapsed_s,
            "validation_s": self._validator.clock.elapsed_s,
            "score": self._scores.state(),
            "meter": self._meter.state(),
            "stage": self._config.stage,
            "stages": self._stages,
        }

    def _save(self) -> None:
        self._checkpointer.save(self._step, self._progress())
        if not self._finished:
            self._collectives.saved()
