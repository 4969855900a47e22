from __future__ import annotations

import sys

from experiments.config.hydra_app import run_segment_app
from experiments.reporting.terminal import Terminal
from experiments.segment.pipeline import segment
from experiments.segment.resolve import resolve


def main() -> int:
    """Run the app; returns the exit code."""
    terminal = Terminal()
    return run_segment_app(lambda config: segment(resolve(config), terminal))


if __name__ == "__main__":
    sys.exit(main())
