"""The training loop of one rank."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.clock import PHASES, PhaseTimes, Throughput, TrainingClock
from experiments.dataset import canvas_sources
from experiments.records import CHECKPOINTS, Recorder
from experiments.schema import Config
from experiments.stop_request import StopRequest
from ffn_core import checkpoint as checkpoints
from ffn_core.batches import MicroBatch, micro_batch_size
from ffn_core.distributed import Collectives
from ffn_core.errors import InputError
from ffn_core.examples import CanvasSource, ExampleStream
from ffn_core.metrics import VoxelCounts
from ffn_core.model import ConvStack, load_published_checkpoint
from ffn_core.noise_scale import NoiseScale
from ffn_core.optimizers import assign_slots, make_optimizer, slot_values
from ffn_core.train_step import StepResult, TrainStep
from ffn_core.validation import Score, evaluate, held_out_canvases


class DivergedError(RuntimeError):
    """The loss is no longer finite; going on is pointless."""


@dataclass
class Progress:
    """Where the loop is: what a checkpoint must remember besides weights and streams."""

    step: int = 0
    elapsed_s: float = 0.0
    loss_sum: float = 0.0
    loss_steps: int = 0


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

        Setting ``stop_request`` on any rank stops all of them after the step under way, with a
        checkpoint.
        """
        self._config = config
        self._checkpoint_dir = run_dir / CHECKPOINTS
        self._collectives = collectives
        self._recorder = recorder
        self._stop_request = stop_request
        self._rank = collectives.topology.rank
        self._nodes = config.cluster.group.nodes_of(self._rank)
        self._fovs_per_step = config.cluster.fovs_per_step
        self._schedule = config.schedule()
        self._budget_steps = config.budget.in_steps(self._fovs_per_step)

        source, self._held_out = canvas_sources(config)
        self._streams = self._make_streams(source)
        self._model = ConvStack(config.model.size, config.seed)
        self._optimizer = make_optimizer(
            config.optimizer.name, config.optimizer.arguments, self._model.weights
        )
        size = micro_batch_size(
            len(self._streams), self._fovs_per_step, config.model.micro_batch_size
        )
        self._batch = MicroBatch(size, config.model.geometry.fov_zyx)
        self._train_step = TrainStep(
            self._model,
            self._optimizer,
            collectives.reduce_sum,
            self._fovs_per_step,
            size,
            config.optimizer.clip,
        )
        self._progress = Progress()
        self._noise_scale = NoiseScale()
        self._restore()
        self._finished = self._all_steps_done()
        self._clock = TrainingClock(self._progress.elapsed_s)
        self._phases = PhaseTimes()
        self._recent = Throughput(config.report.skip_steps)
        self._overall = Throughput(config.report.skip_steps)

    # ---------------------------------------------------------------- the loop

    def train(self) -> dict[str, Any]:
        """Train until the budget is spent or a stop is requested; returns a summary of the run."""
        report, score, save = (
            section.every_fovs
            for section in (self._config.report, self._config.validation, self._config.checkpoint)
        )
        state = self._progress
        if not state.step:
            self._record(self._validate())
        while not self._finished:
            before = self._clock.elapsed_s
            with self._clock.running():
                result = self._step()
            self._take_in(result, self._clock.elapsed_s - before)
            metrics: dict[str, float] = {}
            if self._finished or self._crossed(report):
                metrics |= self._report(result)
            if self._finished or self._crossed(score):
                metrics |= self._validate()
            self._record(metrics)
            if self._finished or result.stop_votes or self._crossed(save):
                self._save()
            if result.stop_votes:
                break
        return self._summary()

    def _step(self) -> StepResult:
        """One optimizer step over all nodes."""
        phases, batch = self._phases, self._batch
        size = len(batch.image)
        profiled = self._progress.step % self._config.report.profile_every_steps == 0
        for first in range(0, len(self._streams), size):
            streams = self._streams[first : first + size]
            with phases.phase("input"):
                for stream in streams:
                    stream.advance()
                batch.gather([(s.canvas, s.window) for s in streams])
            with phases.phase("compute"):
                logits = self._train_step.accumulate(
                    batch.image, batch.seed, batch.is_object
                ).numpy()
            with phases.phase("input"):
                for row, stream in enumerate(streams):
                    stream.write(logits[row, ..., 0])
        if profiled:
            # Waiting for the slowest rank here leaves the collective itself in the next phase.
            with phases.phase("straggler_wait"):
                self._collectives.barrier()
        with phases.phase("allreduce"):
            total = self._train_step.reduce(self._stop_request.is_set(), self._out_of_time())
        with phases.phase("update"):
            rate = self._schedule(self._progress.step)
            result = self._train_step.apply(total, rate)
        phases.steps += 1
        return result

    def _take_in(self, result: StepResult, step_s: float) -> None:
        state = self._progress
        state.step += 1
        state.elapsed_s = self._clock.elapsed_s
        state.loss_sum += result.loss
        state.loss_steps += 1
        if not math.isfinite(result.loss):
            last = checkpoints.latest(self._checkpoint_dir)
            raise DivergedError(
                f"loss is {result.loss} at step {state.step} (rank {self._rank}); last good "
                f"checkpoint: {last.name if last else 'none'}; lower learning_rate.base or warm up"
            )
        self._noise_scale.add(result.moments)
        self._recent.add(self._fovs_per_step, step_s)
        self._overall.add(self._fovs_per_step, step_s)
        self._finished = bool(result.done_votes) or self._all_steps_done()
        self._recorder.progress(
            step=state.step,
            fovs=self._fovs,
            elapsed_s=state.elapsed_s,
            loss=result.loss,
            budget_steps=self._budget_steps,
            budget_s=self._config.budget.seconds,
        )

    def _all_steps_done(self) -> bool:
        return self._budget_steps is not None and self._progress.step >= self._budget_steps

    def _out_of_time(self) -> bool:
        """Whether the step under way is the last of a budget in seconds; rank 0's clock counts."""
        seconds = self._config.budget.seconds
        return self._rank == 0 and seconds is not None and self._clock.now_s >= seconds

    @property
    def _fovs(self) -> int:
        return self._progress.step * self._fovs_per_step

    def _crossed(self, every_fovs: int) -> bool:
        """Whether the last step took the FOV count over a multiple of ``every_fovs``."""
        return self._fovs // every_fovs > (self._fovs - self._fovs_per_step) // every_fovs

    # ------------------------------------------------------------- measurement

    def _report(self, result: StepResult) -> dict[str, float]:
        mine = sum((s.take_counts() for s in self._streams), VoxelCounts())
        counts = VoxelCounts.from_array(self._collectives.sum(mine.as_array()))
        state = self._progress
        metrics = counts.rates("train")
        metrics["train/loss"] = state.loss_sum / state.loss_steps
        metrics["learning_rate"] = self._schedule(state.step - 1)
        metrics["gradient_norm"] = result.gradient_norm
        if (noise := self._noise_scale.simple) is not None:
            metrics["noise_scale/simple"] = noise
        metrics |= self._timing_metrics()
        state.loss_sum, state.loss_steps = 0.0, 0
        return metrics

    def _timing_metrics(self) -> dict[str, float]:
        per_rank = np.array(self._collectives.gather(self._phases.means_s()))
        self._phases.reset()
        own_s = per_rank[:, :2].sum(axis=1)  # input and compute: what others wait for
        names = [f"time/{name}_s" for name in PHASES]
        metrics = {k: float(v) for k, v in zip(names, per_rank.mean(axis=0), strict=True)}
        metrics["time/slowest_rank"] = float(own_s.argmax())
        if (rate := self._recent.take()) is not None:
            metrics["throughput/fovs_per_second"] = rate
            metrics["time/step_s"] = self._fovs_per_step / rate
        return metrics

    def _validate(self) -> dict[str, float]:
        if self._held_out is None:
            return {}
        options = self._config.validation
        share = range(self._rank, options.canvases, self._config.cluster.ranks)
        canvases = held_out_canvases(self._held_out, options.seed, share)
        threshold = self._config.seed_values.move_logit
        mine = evaluate(self._train_step.predict, canvases, options.batch_size, threshold)
        return Score.from_array(self._collectives.sum(mine.as_array())).rates()

    def _record(self, metrics: dict[str, float]) -> None:
        if not metrics:
            return
        state = self._progress
        shared = {"time/elapsed_s": state.elapsed_s, "optimizer_step": float(state.step)}
        self._recorder.record(state.step, self._fovs, state.elapsed_s, shared | metrics)

    def _summary(self) -> dict[str, Any]:
        state = self._progress
        return {
            "finished": self._finished,
            "step": state.step,
            "fovs": self._fovs,
            "elapsed_s": state.elapsed_s,
            "fovs_per_second": self._overall.take(),
        }

    # ------------------------------------------------------------- checkpoints

    def _save(self) -> None:
        state = self._progress
        shared = checkpoints.Checkpoint(
            state.step,
            {"loop": vars(state), "noise_scale": self._noise_scale.state(), "unix_s": time.time()},
            [w.numpy() for w in self._model.weights],
            slot_values(self._optimizer),
        )
        slots = self._config.cluster.local_batch_size
        by_node = [self._streams[i : i + slots] for i in range(0, len(self._streams), slots)]
        streams = checkpoints.NodeStreams(
            self._nodes.start,
            [[s.state() for s in node] for node in by_node],
            np.stack([[s.canvas.seed for s in node] for node in by_node]),
        )
        checkpoints.save(
            self._checkpoint_dir,
            shared,
            streams,
            self._rank,
            self._collectives.gather,
            self._config.checkpoint.keep,
        )

    def _restore(self) -> None:
        path = checkpoints.latest(self._checkpoint_dir)
        if path is not None:
            self._resume_from(path)
        elif self._config.model.checkpoint:
            self._start_from(self._config.model.checkpoint)
        self._collectives.broadcast(
            self._model.weights + [getattr(v, "value", v) for v in self._optimizer.variables]
        )

    def _start_from(self, prefix: str) -> None:
        size, weights = load_published_checkpoint(prefix)
        if size != self._config.model.size:
            raise InputError(
                f"model.checkpoint={prefix} has depth {size.depth} and {size.features} features, "
                f"the config {self._config.model.depth} and {self._config.model.features}"
            )
        self._model.assign(weights)

    def _resume_from(self, path: Path) -> None:
        shared = checkpoints.load(path)
        self._model.assign(shared.weights)
        assign_slots(self._optimizer, shared.slots)
        self._progress = Progress(**shared.progress["loop"])
        self._noise_scale = NoiseScale(**shared.progress["noise_scale"])
        loaded = checkpoints.load_streams(path, self._nodes)
        slots = self._config.cluster.local_batch_size
        for i, stream in enumerate(self._streams):
            node, slot = divmod(i, slots)
            stream.restore(loaded.states[node][slot], loaded.seeds[node, slot])

    def _make_streams(self, source: CanvasSource) -> list[ExampleStream]:
        """Streams of this rank, those of a node side by side."""
        slots = range(self._config.cluster.local_batch_size)
        return [
            ExampleStream(source, self._config.seed, node, slot)
            for node in self._nodes
            for slot in slots
        ]
