"""One rank: ``python -m experiments.worker RUN_DIR``, started by a launcher.

Exit codes are those of `ffn_core.exit_codes`. ``failure.json`` holds the reason of
the first rank that failed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import traceback
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from experiments.config.config_file import load_config
from experiments.config.schema import Config
from experiments.launch.elastic import AGAIN, compute_threads, start_over
from experiments.launch.rank_numbers import rank_of, ranks_here
from experiments.launch.stop_request import StopRequest
from experiments.reporting import run_files
from experiments.trainer.recorder import FileRecorder, NullRecorder, Recorder
from ffn_core.devices.placement import Device, place, warn_of_shared_gpus
from ffn_core.errors import DivergedError, InputError
from ffn_core.exit_codes import EXIT_DIVERGED, EXIT_FAILED, EXIT_INPUT, EXIT_STOPPED
from ffn_core.runtime import (
    configure_tensorflow,
    import_little,
    warn_of_precision,
    without_collection,
)

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def run_rank(run_dir: Path) -> int:
    """Train as one rank of the run in ``run_dir``; returns the exit code."""
    config = load_config(run_dir)
    cluster = config.cluster
    here = ranks_here(os.environ, cluster.ranks)
    threads = cluster.threads_per_rank or compute_threads(config, here)
    configure_tensorflow(threads, config.model.precision)
    with without_collection():
        from experiments.trainer.trainer import Trainer
        from experiments.trainer.watchdog import Stall, Watchdog, end_silent
        from ffn_core.training import distributed

    stop_request = StopRequest(run_dir)
    stop_request.listen()

    def on_stall(stall: Stall) -> None:
        """Called in another thread while the main one waits forever."""
        if cluster.elastic and stall.left:
            start_over(run_dir)
        elif cluster.elastic and end_silent(run_dir, stall.silent):
            print(f"killed, and continuing without: {stall.problem}", file=sys.stderr, flush=True)
        else:
            os._exit(_fail(run_dir, EXIT_FAILED, stall.problem))

    collectives = (
        distributed.start_elastic(cluster.stall_timeout_s, AGAIN in os.environ)
        if cluster.elastic
        else distributed.start(cluster.ranks, cluster.stall_timeout_s)
    )
    topology = collectives.topology
    device = place(config.device, topology.local_rank)
    if topology.rank == 0:
        run_files.RunDirectory(run_dir).write_device(device.described())
        for warning in _warnings(config, device, topology.local_size):
            print(f"warning: {warning}", file=sys.stderr, flush=True)
    recorder: Recorder = NullRecorder() if topology.rank else FileRecorder(run_dir)
    watched = cluster.stall_timeout_s and not collectives.alone
    with (
        Watchdog(run_dir, collectives, cluster.stall_timeout_s, on_stall)
        if watched
        else nullcontext()
    ):
        config = config.with_ranks(topology.size)  # as many as there are at the moment
        summary = Trainer(config, run_dir, collectives, recorder, stop_request).train()
    if topology.rank == 0 and summary["finished"]:
        result = {"outcome": "finished"} | summary | {"records": recorder.count}
        run_files.RunDirectory(run_dir).write_result(result)
    distributed.stop()
    return 0 if summary["stage_finished"] else EXIT_STOPPED


def _warnings(config: Config, device: Device, ranks_here: int) -> list[str]:
    """Lines about what the first rank found only now, on its host."""
    if device.kind == "cpu":
        lines = [warn_of_precision(config.model.precision)]
    else:
        # A launcher that gives each rank a GPU of its own shows it no other.
        gpus = max(device.gpus, config.launcher.gpus_per_node or 0)
        lines = [warn_of_shared_gpus(ranks_here, gpus)]
    return [line for line in lines if line]


def main(arguments: list[str]) -> int:
    """Run a rank and leave the reason behind if it fails."""
    if len(arguments) != 1 or not Path(arguments[0], run_files.CONFIG).is_file():
        print(
            f"error: usage: python -m experiments.worker RUN_DIR, got {arguments}", file=sys.stderr
        )
        return EXIT_INPUT
    run_dir = Path(arguments[0])
    try:
        return run_rank(run_dir)
    except InputError as error:  # a disk that is full, too
        return _fail(run_dir, EXIT_INPUT, str(error))
    except DivergedError as error:
        return _fail(run_dir, EXIT_DIVERGED, str(error))
    except ImportError as error:
        # What is missing may be Horovod's own library: nothing of it can be asked for more.
        said = " ".join(f"{type(error).__name__}: {error}".split())
        return _fail(run_dir, EXIT_FAILED, said, traceback.format_exc())
    except Exception as error:
        from ffn_core.training.distributed import peer_lost

        elastic = "HOROVOD_ELASTIC" in os.environ
        if peer_lost(error):
            if elastic:
                start_over(run_dir)
            # The first rank that failed leaves the reason; the launcher names one that was killed.
            print(f"error: another rank is gone: {error}", file=sys.stderr, flush=True)
            return EXIT_FAILED
        ends_run = not elastic  # or the others continue
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            message = f"{error}; free space and repeat the command"
            return _fail(run_dir, EXIT_FAILED, message, ends_run=ends_run)
        return _fail(run_dir, EXIT_FAILED, f"{error}", traceback.format_exc(), ends_run)


def _fail(run_dir: Path, code: int, message: str, trace: str = "", ends_run: bool = True) -> int:
    """Leave the reason; ``ends_run`` unless other ranks may continue without this one."""
    with contextlib.suppress(OSError):  # the log may be on a disk that is full
        print(trace or f"error: {message}", file=sys.stderr, flush=True)
    failure: dict[str, Any] = {
        "exit_code": code,
        "rank": rank_of(os.environ),
        "message": message,
        "traceback": trace,
        "ends_run": ends_run,
    }
    directory = run_files.RunDirectory(run_dir)
    earlier: dict[str, Any] = {}
    with contextlib.suppress(InputError):  # a damaged reason is none
        earlier = directory.failure()
    # The first rank counts, but what ends all of them more than what ended one.
    if not earlier or (ends_run and not earlier["ends_run"]):
        try:
            directory.write_failure(failure)
        except OSError:
            (run_dir / run_files.PROGRESS).unlink(missing_ok=True)  # makes room on a full disk
            with contextlib.suppress(OSError):
                directory.write_failure(failure)
    return code


if __name__ == "__main__":
    import_little()
    code = main(sys.argv[1:])
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    # A rank that failed must not wait in Horovod's shutdown for ranks that will never come.
    os._exit(code)
