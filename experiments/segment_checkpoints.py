"""Segment one region with every checkpoint of a run: how segmentation improves along training.

    python -m experiments.segment_checkpoints checkpoint=runs/checkpoints/RUN
    python -m experiments.segment_checkpoints checkpoint=runs/checkpoints/RUN weights=raw

Options are those of `experiments.segment`; without ``image`` it is the run's own volume, and of it
the part held out for validation. Repeating a command continues where it stopped, and takes in
checkpoints that have been added.

``RUN/segmentations/IMAGE-IDENTITY/scores.csv`` holds the curve, ``sample.h5`` a piece of the last
segmentation beside its truth, and the MLflow run of the training gets both, and ``segmentation/*``
with FOVs as the step.
"""

from __future__ import annotations

import sys

from experiments.config.hydra_app import run_typed_app
from experiments.reporting.terminal import Terminal
from experiments.segment.checkpoints import segment_checkpoints
from experiments.segment.config import SegmentConfig
from ffn_core.command import command


@command
def main() -> int:
    """Run the app; returns the exit code."""
    terminal = Terminal()
    return run_typed_app(
        "segment",
        SegmentConfig,
        lambda config: segment_checkpoints(config, terminal),
        ["checkpoint"],
        __doc__,
    )


if __name__ == "__main__":
    sys.exit(main())
