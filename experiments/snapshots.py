"""Between a trainer's live objects and checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.schema import Config
from ffn_core import checkpoint as checkpoints
from ffn_core.distributed import Collectives
from ffn_core.errors import InputError
from ffn_core.examples import ExampleStream
from ffn_core.model import ConvStack, load_published_checkpoint
from ffn_core.optimizers import assign_slots, slot_values


@dataclass(frozen=True)
class Snapshots:
    """Saves and restores one rank's part of a run.

    Attributes:
        config: the run.
        folder: its checkpoints.
        collectives: to the other ranks.
        model: weights.
        optimizer: slots.
        streams: this rank's, those of a node side by side.
    """

    config: Config
    folder: Path
    collectives: Collectives
    model: ConvStack
    optimizer: Any
    streams: list[ExampleStream]

    def save(self, step: int, progress: dict[str, Any]) -> Path:
        """Write a checkpoint; called by every rank at the same step."""
        shared = checkpoints.Checkpoint(
            step,
            progress,
            [w.numpy() for w in self.model.weights],
            slot_values(self.optimizer),
        )
        slots = self.config.cluster.local_batch_size
        by_node = [self.streams[i : i + slots] for i in range(0, len(self.streams), slots)]
        streams = checkpoints.NodeStreams(
            self._nodes.start,
            [[s.state() for s in node] for node in by_node],
            np.stack([[s.canvas.seed for s in node] for node in by_node]),
        )
        rank, gather = self.collectives.topology.rank, self.collectives.gather
        keep = self.config.checkpoint.keep
        return checkpoints.save(self.folder, shared, streams, rank, gather, keep)

    def restore(self) -> dict[str, Any] | None:
        """Take up the newest checkpoint, or the weights the config starts from.

        Returns:
            What `save` was given as ``progress``; None for a run that begins.
        """
        path = checkpoints.latest(self.folder)
        progress = None
        if path is not None:
            progress = self._resume_from(path)
        elif self.config.model.checkpoint:
            self._start_from(self.config.model.checkpoint)
        slots = [getattr(v, "value", v) for v in self.optimizer.variables]
        self.collectives.broadcast(self.model.weights + slots)
        return progress

    @property
    def _nodes(self) -> range:
        return self.config.cluster.group.nodes_of(self.collectives.topology.rank)

    def _start_from(self, prefix: str) -> None:
        size, weights = load_published_checkpoint(prefix)
        if size != self.config.model.size:
            raise InputError(
                f"model.checkpoint={prefix} has depth {size.depth} and {size.features} features, "
                f"the config {self.config.model.depth} and {self.config.model.features}"
            )
        self.model.assign(weights)

    def _resume_from(self, path: Path) -> dict[str, Any]:
        shared = checkpoints.load(path)
        self.model.assign(shared.weights)
        assign_slots(self.optimizer, shared.slots)
        loaded = checkpoints.load_streams(path, self._nodes)
        slots = self.config.cluster.local_batch_size
        for i, stream in enumerate(self.streams):
            node, slot = divmod(i, slots)
            stream.restore(loaded.states[node][slot], loaded.seeds[node, slot])
        return shared.progress
