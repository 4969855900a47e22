"""Segment a share of the subvolumes of a segmentation; by hand or as one task of many.

    python -m experiments.segment_worker segmentations/NAME
    python -m experiments.segment_worker segmentations/NAME --task 2 --tasks 8

Started by `experiments.segment`, or by hand under horovodrun, mpirun or srun or as a Slurm job
array, on any machine that sees the folder. Tasks do not communicate: task i of n takes every n-th
subvolume that was left to do when `experiments.segment` last looked. Subvolumes do not depend on
each other, so the result does not depend on n, and a task that was killed continues from its last
saved state when started again.

Exit codes are those of `ffn_core.exit_codes`; ``failure.json`` holds the reason of
the first task that failed.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from experiments.config.trained_network import load_network
from experiments.launch.rank_numbers import local_rank_of, ranks_here
from experiments.segment.flooding import Task, Worker, task_of
from experiments.segment.segmentation_files import leave_failure, load_config, read_todo
from ffn_core.command import command
from ffn_core.devices.placement import place
from ffn_core.errors import InputError
from ffn_core.exit_codes import EXIT_FAILED, EXIT_INPUT, EXIT_STOPPED
from ffn_core.limits.arguments import CommandParser, add_whole
from ffn_core.limits.ranges import MOST_NODES, Range
from ffn_core.runtime import configure_tensorflow, import_little, threads_per_rank


def run_task(folder: Path, task: Task) -> int:
    """Segment every subvolume of one task; returns the exit code."""
    config = load_config(folder)
    share = task.share(read_todo(folder))
    print(f"task {task.number} of {task.count}: subvolumes {list(share)}", flush=True)
    if not share:
        return 0
    here = ranks_here(os.environ, task.count)
    precision = config.precision or "float32"
    configure_tensorflow(config.threads_per_process or threads_per_rank(here), precision)
    place(config.device, local_rank_of(os.environ, task.number))
    from ffn_core.inference.forward import make_forward

    network = load_network(Path(config.checkpoint), config.weights, precision)
    forward = make_forward(network)
    subvolumes = config.grid.subvolumes
    finished = Worker(config, folder, forward).run([subvolumes[index] for index in share])
    return 0 if finished else EXIT_STOPPED


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = CommandParser("experiments.segment_worker", __doc__)
    parser.add_argument("folder", type=Path, help="folder that experiments.segment has made")
    first, most = Range(at_least=0, at_most=MOST_NODES), Range(at_least=1, at_most=MOST_NODES)
    add_whole(parser, "--task", first, "number of this task; default: the launcher's")
    add_whole(parser, "--tasks", most, "number of tasks; default: the launcher's")
    parsed = parser.parse_args(arguments)
    folder: Path = parsed.folder
    try:
        if parsed.task is None:
            task = task_of(os.environ, parsed.tasks)
        else:
            task = Task(parsed.task, parsed.tasks or 1)
        return run_task(folder, task)
    except InputError as error:
        return _fail(folder, EXIT_INPUT, str(error))
    except Exception as error:
        return _fail(folder, EXIT_FAILED, str(error), traceback.format_exc())


def _fail(folder: Path, code: int, message: str, trace: str = "") -> int:
    print(trace or f"error: {message}", file=sys.stderr, flush=True)
    with contextlib.suppress(InputError):  # in no folder but one of a segmentation
        load_config(folder)
        leave_failure(folder, code, message, trace)
    return code


def script() -> int:
    """`main` as a process of its own, which imports no more of TensorFlow than it needs."""
    import_little()
    return main()


if __name__ == "__main__":
    sys.exit(script())
