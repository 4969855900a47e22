"""``python -m experiments.segment checkpoint=... image=path:dataset``: fill a volume with objects.

Options are those of `experiments.segment.config`, defaults in ``conf/segment.yaml``. Repeating a
command continues where it was interrupted. Exit codes are those of
`experiments.reporting.exit_codes`.
"""

from __future__ import annotations

import sys

from experiments.config.hydra_app import run_typed_app
from experiments.reporting.terminal import Terminal
from experiments.segment.config import SegmentConfig
from experiments.segment.pipeline import segment
from experiments.segment.resolve import resolve


def main() -> int:
    """Run the app; returns the exit code."""
    terminal = Terminal()
    return run_typed_app(
        "segment", SegmentConfig, lambda config: segment(resolve(config), terminal), ["checkpoint"]
    )


if __name__ == "__main__":
    sys.exit(main())
