"""Where a loss first stopped being finite."""

from __future__ import annotations

import numpy as np

from experiments.snapshots import Snapshots
from ffn_core.errors import DivergedError


def diverged(snapshots: Snapshots, step: int, loss: float) -> DivergedError:
    """The error of a step whose loss, the same on every rank, is not finite.

    To be called by every rank. The predictions of the step are still in the canvases, so that
    looking for their origin costs nothing as long as all goes well.
    """
    streams, slots = snapshots.streams, snapshots.config.cluster.local_batch_size
    mine = [
        snapshots.nodes[i // slots]
        for i, stream in enumerate(streams)
        if not np.isfinite(stream.canvas.seed[stream.window]).all()
    ]
    everyone = snapshots.collectives.gather(mine)
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
        f"{snapshots.last_good}; lower learning_rate.base or warm up"
    )
