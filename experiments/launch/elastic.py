"""Runs that outlive their ranks.

With ``cluster.elastic`` Horovod's elastic launcher watches the ranks. When one dies the others meet
again without it, when a host returns they meet again with it, and each time all continue from the
newest checkpoint with the logical nodes dealt out again: a checkpoint is keyed by logical node, so
the trajectory stays that of ``cluster.nodes`` nodes, on any number of ranks. The price of a change
is the work since that checkpoint and the time a rank takes to start.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import NoReturn

from experiments.config.schema import Config
from experiments.launch.horovodrun import HOROVODRUN, without_equals
from ffn_core.errors import InputError
from ffn_core.runtime import threads_per_rank

AGAIN = "FFN_SCALING_STARTED_OVER"
"""Set in the environment of a rank that took the place of another, see `start_over`."""

_LONGEST_BAN_S = 3600


def elastic_command(config: Config, worker: list[str]) -> list[str]:
    """The command that starts the ranks and replaces those that die.

    Args:
        config: the run; a script that names the hosts of the moment is given in
            ``launcher.arguments`` as ``--host-discovery-script FILE``.
        worker: command of one rank.

    Raises:
        InputError: for a launcher or a number of ranks with which this does not work.
    """
    launcher, cluster = config.launcher, config.cluster
    if launcher.name != "gloo":
        raise InputError(
            f"cluster.elastic=true needs launcher=gloo, not {launcher.name}: other launchers end "
            "a run when a rank dies"
        )
    if not 1 <= cluster.min_ranks <= cluster.ranks or cluster.ranks < 2:
        raise InputError(
            f"cluster.elastic=true needs cluster.ranks={cluster.ranks} of at least 2 and "
            f"cluster.min_ranks={cluster.min_ranks} of 1 to that many"
        )
    # Horovod's first ban lasts two to three times the lower bound, each later one twice as long.
    ban_s = max(1, cluster.readmit_after_s // 2)
    local = ["--network-interface", "lo"]
    return [
        *HOROVODRUN,
        *("--gloo", "--disable-cache", "-np", str(cluster.ranks)),
        *("--min-np", str(cluster.min_ranks), "--max-np", str(cluster.ranks)),
        *("--blacklist-cooldown-range", str(ban_s), str(_LONGEST_BAN_S)),
        *("-H", launcher.hosts or local_hosts(cluster.ranks)),
        *([] if launcher.hosts else local),
        *launcher.arguments,
        *without_equals(worker),
    ]


def local_hosts(ranks: int) -> str:
    """This machine as one host per rank.

    A host whose rank dies is banned for a while, so that ranks of one host would all go. Spellings
    of the loopback address (its parts may have leading zeros) are hosts of their own to Horovod.
    """
    return ",".join(f"127.0.0.{'0' * i}1:1" for i in range(ranks))


def compute_threads(config: Config, ranks_here: int) -> int:
    """Threads of each rank, where the config does not say.

    Args:
        config: the run.
        ranks_here: how many ranks share this machine, as the launcher says.
    """
    if config.cluster.elastic and config.launcher.hosts is None:
        ranks_here = config.cluster.ranks  # not each a host, whatever the launcher says
    return threads_per_rank(ranks_here, config.sweep.parallel)


def start_over(run_dir: Path) -> NoReturn:
    """Become a new process in the place of this one, to meet the ranks that there are now.

    Horovod can restart within a process, but then keeps connections of the old ranks open; a
    rank that waits at one of these never learns that the others have gone.
    """
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            os.set_inheritable(int(descriptor.name), int(descriptor.name) <= 2)
    sys.stdout.flush()
    sys.stderr.flush()
    os.environ[AGAIN] = "1"
    os.execv(sys.executable, [sys.executable, "-m", "experiments.worker", str(run_dir)])
