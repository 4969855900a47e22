"""The number of a process among the tasks of a segmentation, read from its launcher's variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from experiments.launch.rank_numbers import all_rank_variables
from ffn_core.errors import InputError

T = TypeVar("T")

_ARRAY = "SLURM_ARRAY_TASK_"


@dataclass(frozen=True)
class Task:
    """Number ``number`` of ``count`` tasks, counted from 0."""

    number: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.number < self.count:
            raise InputError(f"task {self.number} of {self.count}: tasks are numbered from 0")

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """Every ``count``-th of ``items``: the shares of all tasks are all of them, each once."""
        return items[self.number :: self.count]


def task_of(environment: Mapping[str, str], expected: int | None = None) -> Task:
    """The task that the environment of a process tells of; the only one if it tells of none.

    Args:
        environment: Of the process.
        expected: How many tasks were to be started. None if a person started them: then the
            elements of a Slurm job array share the work too, each through all tasks of its step.

    Raises:
        InputError: The launcher says of another number of tasks than expected, or does not say
            which of them this is; or a job array has gaps.
    """
    ranked = _ranked(environment)
    if expected is None:
        array, task = _array_element(environment), ranked or Task()
        return Task(array.number * task.count + task.number, array.count * task.count)
    if ranked is None and expected > 1:
        return Task(_rank_alone(environment), expected)
    task = ranked or Task()
    if task.count != expected:
        raise InputError(
            f"the launcher started {task.count} tasks for processes={expected}; check its"
            " arguments and the allocation"
        )
    return task


def _ranked(environment: Mapping[str, str]) -> Task | None:
    for names in all_rank_variables():
        if names.size and names.rank in environment and names.size in environment:
            return Task(int(environment[names.rank]), int(environment[names.size]))
    return None


def _rank_alone(environment: Mapping[str, str]) -> int:
    known = all_rank_variables()
    for names in known:
        if not names.size and names.rank in environment:
            return int(environment[names.rank])
    raise InputError(
        f"the launcher does not number its tasks: none of {', '.join(n.rank for n in known)} is"
        " set; use another launcher, or start workers by hand (processes=0) with --task and --tasks"
    )


def _array_element(environment: Mapping[str, str]) -> Task:
    """The element of a Slurm job array; the only one outside of any."""
    if f"{_ARRAY}ID" not in environment:
        return Task()
    number, first, last, count = (
        int(environment[_ARRAY + name]) for name in ("ID", "MIN", "MAX", "COUNT")
    )
    step = (last - first) // (count - 1) if count > 1 else 1
    # Slurm tells neither the list nor, for a list, its step: of one with gaps we cannot be sure.
    if last - first != step * (count - 1) or (number - first) % step:
        raise InputError(
            f"a job array of {count} elements from {first} to {last} has gaps: submit one without,"
            f" such as --array=0-{count - 1}"
        )
    return Task((number - first) // step, count)
