"""``python -m experiments.segment_checkpoints checkpoint=RUN_DIR``: how segmentation improves.

Segments one region with every checkpoint that a run has kept and scores it against the labels.
Options are those of `experiments.segment`; without ``image`` it is the run's own volume, and of it
the part held out for validation. Repeating a command continues where it stopped, and takes in
checkpoints that have been added.

``RUN_DIR/segmentations/IMAGE-IDENTITY/scores.csv`` holds the curve, ``sample.h5`` a piece of the
last segmentation beside its truth, and the MLflow run of the training gets both, and
``segmentation/*`` with FOVs as the step.
"""

from __future__ import annotations

import sys

from experiments.config.hydra_app import run_typed_app
from experiments.reporting.terminal import Terminal
from experiments.segment.checkpoints import segment_checkpoints
from experiments.segment.config import SegmentConfig


def main() -> int:
    """Run the app; returns the exit code."""
    terminal = Terminal()
    return run_typed_app(
        "segment",
        SegmentConfig,
        lambda config: segment_checkpoints(config, terminal),
        ["checkpoint"],
    )


if __name__ == "__main__":
    sys.exit(main())
