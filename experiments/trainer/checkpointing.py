"""Between a trainer's live objects and checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.config.schema import Config
from experiments.config.trained_network import find_network, load_network
from experiments.reporting.run_files import START
from ffn_core.errors import DivergedError, InputError
from ffn_core.model import ConvStack
from ffn_core.training import checkpoint as checkpoints
from ffn_core.training.averaging import AveragedWeights
from ffn_core.training.distributed import Collectives
from ffn_core.training.examples import ExampleStream
from ffn_core.training.optimizers import assign_slots, slot_values


@dataclass(frozen=True)
class Checkpointer:
    """Save and restores one rank's part of a run.

    Attributes:
        config: the run.
        folder: its checkpoints.
        best_folder: where the best is kept.
        collectives: to the other ranks.
        model: weights.
        optimizer: slots.
        average: of the weights, if one is kept.
        streams: this rank's, those of a node side by side.
    """

    config: Config
    folder: Path
    best_folder: Path
    collectives: Collectives
    model: ConvStack
    optimizer: Any
    average: AveragedWeights | None
    streams: list[ExampleStream]

    def save(self, step: int, progress: dict[str, Any]) -> Path:
        """Write a checkpoint; called by every rank at the same step.

        Raises:
            DivergedError: A weight is not finite; earlier checkpoints stay.
        """
        slots = self.config.cluster.local_batch_size
        by_node = [self.streams[i : i + slots] for i in range(0, len(self.streams), slots)]
        streams = checkpoints.NodeStreams(
            self.nodes.start,
            [[s.state() for s in node] for node in by_node],
            np.stack([[s.canvas.seed for s in node] for node in by_node]),
        )
        shared, keep = self._shared(step, progress), self.config.checkpoint.keep
        rank, gather = self.collectives.topology.rank, self.collectives.gather
        return checkpoints.save(self.folder, shared, streams, rank, gather, keep)

    def save_best(self, step: int, progress: dict[str, Any]) -> Path:
        """Keep the weights of ``step`` in place of the best before; otherwise as `save`."""
        rank, gather = self.collectives.topology.rank, self.collectives.gather
        shared = self._shared(step, progress)
        return checkpoints.save(self.best_folder, shared, None, rank, gather, keep=1)

    def best_progress(self) -> dict[str, Any] | None:
        """What `save_best` was given as ``progress``, the same on every rank; None without one."""
        best = None
        if self.collectives.topology.rank == 0 and (path := checkpoints.latest(self.best_folder)):
            best = checkpoints.load(path).progress
        return self.collectives.gather(best)[0]

    def _shared(self, step: int, progress: dict[str, Any]) -> checkpoints.Checkpoint:
        shared = checkpoints.Checkpoint(
            step,
            progress,
            [w.numpy() for w in self.model.weights],
            slot_values(self.optimizer),
            self.average.values() if self.average else [],
            self.average.correction if self.average else 0.0,
        )
        if not all(np.isfinite(weight).all() for weight in shared.weights):
            raise DivergedError(
                f"weights are not finite after step {step}; last good checkpoint: "
                f"{self.last_good}; lower learning_rate.base or warm up"
            )
        return shared

    def restore(self) -> dict[str, Any] | None:
        """Take up the newest checkpoint, or the weights the config starts from.

        Returns:
            What `save` was given as ``progress``, less what a new stage begins again; with
            ``begins`` the counts that a new run takes over from another; None for a run that begins
            at zero.
        """
        # One rank chooses: on a network file system another may not see the newest yet.
        newest = checkpoints.latest(self.folder)
        name = self.collectives.gather(newest.name if newest else None)[0]
        progress = None
        if name is not None:
            path = self.folder / name
            begins = checkpoints.progress_of(path).get("stage") != self.config.stage
            progress = self._begin_stage(path) if begins else self._resume_from(path)
        elif self.config.continue_from:
            progress = self._continue_from_start()
        elif self.config.model.checkpoint:
            self._start_from(self.config.model.checkpoint)
        slots = [getattr(v, "value", v) for v in self.optimizer.variables]
        averaged = [self.average.flat] if self.average else []
        self.collectives.broadcast(self.model.weights + slots + averaged)
        return progress

    @property
    def nodes(self) -> range:
        """Logical nodes of this rank."""
        return self.config.cluster.group.nodes_of(self.collectives.topology.rank)

    @property
    def last_good(self) -> str:
        """Name of the newest checkpoint; none is ever written with weights that are not finite."""
        newest = checkpoints.latest(self.folder)
        return newest.name if newest else "none"

    def _start_from(self, path: str) -> None:
        model = self.config.model
        network = load_network(find_network(path).path, model.checkpoint_weights)
        model.require_size(network.size, f"model.checkpoint={path}")
        self.model.assign([w.numpy() for w in network.weights])
        self._restore_average()

    def _restore_average(self, saved: checkpoints.Checkpoint | None = None) -> None:
        """Continue an average; without one, as in older checkpoints, start from the weights."""
        if self.average is None:
            return
        if saved is None or not saved.averaged:
            self.average.restart()
        else:
            self.average.restore(saved.averaged, saved.averaged_correction)

    def _continue_from_start(self) -> dict[str, Any]:
        """Begin with the state of another run, which `experiments.launch.lineage` left here."""
        path = checkpoints.latest(self.folder.with_name(START))
        if path is None:
            raise InputError(
                f"{self.folder.with_name(START)} holds nothing of {self.config.continue_from}: "
                "repeat the training command, which puts it there"
            )
        return self._begin_streams(self._take_weights(path))

    def _begin_stage(self, path: Path) -> dict[str, Any]:
        """Begin a stage with the state in which the one before has ended."""
        progress = self._begin_streams(self._take_weights(path))
        # Counts since the last record are none, and those of the gradient are of another batch.
        return {name: value for name, value in progress.items() if name != "meter"}

    def _begin_streams(self, shared: checkpoints.Checkpoint) -> dict[str, Any]:
        for stream in self.streams:
            stream.restart(shared.progress["fovs"])
        return shared.progress

    def _take_weights(self, path: Path) -> checkpoints.Checkpoint:
        """Take weights, their average and the optimizer's state from a checkpoint."""
        shared = checkpoints.load(path)
        self.model.assign(shared.weights)
        assign_slots(self.optimizer, shared.slots)
        self._restore_average(shared)
        return shared

    def _resume_from(self, path: Path) -> dict[str, Any]:
        shared = self._take_weights(path)
        loaded = checkpoints.load_streams(path, self.nodes)
        slots = self.config.cluster.local_batch_size
        for i, stream in enumerate(self.streams):
            node, slot = divmod(i, slots)
            stream.restore(loaded.states[node][slot], loaded.seeds[node, slot])
        return shared.progress


def diverged(checkpointer: Checkpointer, step: int, loss: float) -> DivergedError:
    """The error of a step whose loss, the same on every rank, is not finite.

    To be called by every rank. The predictions of the step are still in the canvases, so that
    looking for their origin costs nothing as long as all goes well.
    """
    streams, slots = checkpointer.streams, checkpointer.config.cluster.local_batch_size
    mine = [
        checkpointer.nodes[i // slots]
        for i, stream in enumerate(streams)
        if not np.isfinite(stream.canvas.seed[stream.window]).all()
    ]
    everyone = checkpointer.collectives.gather(mine)
    origins = [
        f"rank {rank} (node {', '.join(map(str, sorted(set(nodes))))})"
        for rank, nodes in enumerate(everyone)
        if nodes
    ]
    if not origins:
        origin = "on no single rank: the sum over finite predictions overflowed"
    elif len(origins) == len(everyone) > 1:
        origin = "on every rank: the weights are no longer finite"
    else:
        origin = f"first on {', '.join(origins)}"
    return DivergedError(
        f"loss is {loss} at step {step}, {origin}; last good checkpoint: "
        f"{checkpointer.last_good}; lower learning_rate.base or warm up"
    )
