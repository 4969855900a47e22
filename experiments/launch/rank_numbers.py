"""Which of the processes that a launcher started a process is, by its environment variables."""

from __future__ import annotations

from collections.abc import Mapping

from experiments.launch.launchers import LAUNCHERS, RankVariables
from ffn_core.errors import InputError

_OF_ANY_MPI = (RankVariables("PMI_RANK", "PMI_SIZE"), RankVariables("PMIX_RANK"))
"""Where a person starts processes by another MPI, such as MPICH."""


def all_rank_variables() -> list[RankVariables]:
    """Those of all launchers, the first to be believed first.

    Most launchers of the table also work by hand within the allocation of another: Slurm's own
    variables then number the launchers, not the processes.
    """
    known = (entry.rank_variables for entry in LAUNCHERS.values())
    return [*(each for each in known if each is not None), *_OF_ANY_MPI]


def rank_of(environment: Mapping[str, str]) -> int:
    """Number of the process whose environment this is; 0 if no launcher started it."""
    names = (each.rank for each in all_rank_variables())
    return next((int(environment[name]) for name in names if name in environment), 0)


def require_no_launcher(environment: Mapping[str, str]) -> None:
    """Check that a command, which starts its ranks itself, is not one of several such ranks.

    A shell or batch script that a launcher started as a single process is as good as any.

    Raises:
        InputError: a launcher started this process among others.
    """
    for each in all_rank_variables():
        rank = environment.get(each.rank)
        if rank is None:
            continue
        size = environment.get(each.size, "") if each.size else ""
        if size not in ("", "1") or (size == "" and rank != "0"):
            among = f"of {size} " if size else ""
            raise InputError(
                f"this command was started as process {rank} {among}by another launcher "
                f"({each.rank} is set): start it by itself, python -m ...; it starts its ranks, "
                "as many as cluster.ranks says, with the launcher that launcher=NAME names"
            )


def ranks_here(environment: Mapping[str, str], ranks: int) -> int:
    """How many of ``ranks`` processes share the machine of the one whose environment this is."""
    names = (each.local_size for each in all_rank_variables() if each.local_size)
    return next((int(environment[name]) for name in names if name in environment), ranks)


def local_rank_of(environment: Mapping[str, str], rank: int) -> int:
    """Number of a process among those of its machine; ``rank`` where no launcher says.

    Ranks that follow each other are usually placed on the same machine, so its GPUs are taken in
    turn all the same.
    """
    names = (each.local_rank for each in all_rank_variables() if each.local_rank)
    return next((int(environment[name]) for name in names if name in environment), rank)
