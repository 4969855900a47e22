"""``python -m experiments.launch.horovodrun ...``: Horovod's launcher, seconds sooner.

``horovodrun`` imports TensorFlow in a process of its own, each time, to learn whether Horovod was
built with Gloo. Ours always is; where it is not, the ranks say so themselves.
"""

from __future__ import annotations

import sys

HOROVODRUN = [sys.executable, "-m", "experiments.launch.horovodrun"]


def main() -> None:
    """Do what ``horovodrun`` does."""
    from horovod.runner import launch

    launch.gloo_built = lambda **_: True
    launch.run_commandline()


if __name__ == "__main__":
    main()
