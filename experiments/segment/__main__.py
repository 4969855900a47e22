"""Segment a volume with a trained network: fill it with objects, and score them.

    python -m experiments.segment checkpoint=runs/demo/RUN
    python -m experiments.segment checkpoint=runs/demo/RUN image=volume.h5:image

Defaults are in ``conf/segment.yaml``. Repeating a command continues where it was interrupted. Exit
codes: 0 done, 1 a process failed, 2 bad input, 130 interrupted.
"""

from __future__ import annotations

import sys

from experiments.config.hydra_app import run_typed_app
from experiments.reporting.terminal import Terminal
from experiments.segment.config import SegmentConfig
from experiments.segment.pipeline import segment
from experiments.segment.resolve import resolve
from ffn_core.command import command


@command
def main() -> int:
    """Run the app; returns the exit code."""
    terminal = Terminal()
    return run_typed_app(
        "segment",
        SegmentConfig,
        lambda config: segment(resolve(config), terminal),
        ["checkpoint"],
        __doc__,
    )


if __name__ == "__main__":
    sys.exit(main())
