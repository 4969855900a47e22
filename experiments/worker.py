"""One rank: ``python -m experiments.worker RUN_DIR``, started by a launcher.

Exit codes are those of `experiments.exit_codes`. ``failure.json`` holds the reason of the first
rank that failed.
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

from experiments import records
from experiments.elastic import carried_by, compute_threads
from experiments.environment import configure_tensorflow
from experiments.exit_codes import EXIT_DIVERGED, EXIT_FAILED, EXIT_INPUT, EXIT_STOPPED
from experiments.run_config import load_config
from experiments.stop_request import StopRequest
from ffn_core.errors import DivergedError, InputError

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def run_rank(run_dir: Path) -> int:
    """Train as one rank of the run in ``run_dir``; returns the exit code."""
    config = load_config(run_dir)
    cluster = config.cluster
    configure_tensorflow(cluster.threads_per_rank or compute_threads(config))
    from experiments.roll_call import Presence, RollCall, end_silent
    from experiments.trainer import Trainer
    from ffn_core import distributed

    stop_request = StopRequest(run_dir)
    stop_request.listen()

    def on_stall(problem: str, silent: list[Presence]) -> None:
        """Called in another thread while the main one waits for ever."""
        if cluster.elastic and end_silent(run_dir, silent):
            print(f"killed, and going on without: {problem}", file=sys.stderr, flush=True)
        else:
            os._exit(_fail(run_dir, EXIT_FAILED, problem))

    def train(collectives: distributed.Collectives) -> dict[str, Any]:
        now = carried_by(config, collectives.topology.size)
        is_first = collectives.topology.rank == 0
        recorder: records.Recorder = (
            records.FileRecorder(run_dir) if is_first else records.NullRecorder()
        )
        watched = cluster.stall_timeout_s and not collectives.alone
        with (
            RollCall(run_dir, collectives, cluster.stall_timeout_s, on_stall)
            if watched
            else nullcontext()
        ):
            summary = Trainer(now, run_dir, collectives, recorder, stop_request).train()
        if is_first and summary["finished"]:
            records.write_json(run_dir / records.RESULT, {"outcome": "finished"} | summary)
        return summary

    if cluster.elastic:
        summary = distributed.run_elastic(train, cluster.stall_timeout_s)
    else:
        summary = train(distributed.start(cluster.ranks, cluster.stall_timeout_s))
    distributed.stop()
    return 0 if summary["finished"] else EXIT_STOPPED


def main(arguments: list[str]) -> int:
    """Run a rank and leave the reason behind if it fails."""
    if len(arguments) != 1 or not Path(arguments[0], records.CONFIG).is_file():
        print(
            f"error: usage: python -m experiments.worker RUN_DIR, got {arguments}", file=sys.stderr
        )
        return EXIT_INPUT
    run_dir = Path(arguments[0])
    try:
        return run_rank(run_dir)
    except InputError as error:
        return _fail(run_dir, EXIT_INPUT, str(error))
    except DivergedError as error:
        return _fail(run_dir, EXIT_DIVERGED, str(error))
    except Exception as error:
        from ffn_core.distributed import peer_lost

        if peer_lost(error):
            # Whoever failed first leaves the reason; one that was killed is told by the launcher.
            print(f"error: another rank is gone: {error}", file=sys.stderr, flush=True)
            return EXIT_FAILED
        ends_run = "HOROVOD_ELASTIC" not in os.environ  # or the others go on
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            message = f"{error}; free space and repeat the command"
            return _fail(run_dir, EXIT_FAILED, message, ends_run=ends_run)
        return _fail(run_dir, EXIT_FAILED, f"{error}", traceback.format_exc(), ends_run)


def _fail(run_dir: Path, code: int, message: str, trace: str = "", ends_run: bool = True) -> int:
    """Leave the reason; ``ends_run`` unless other ranks may go on without this one."""
    with contextlib.suppress(OSError):  # the log may be on a disk that is full
        print(trace or f"error: {message}", file=sys.stderr, flush=True)
    failure: dict[str, Any] = {
        "exit_code": code,
        "rank": int(os.environ.get("HOROVOD_RANK", os.environ.get("OMPI_COMM_WORLD_RANK", 0))),
        "message": message,
        "traceback": trace,
        "ends_run": ends_run,
    }
    path = run_dir / records.FAILURE
    with contextlib.suppress(OSError):
        earlier = records.read_json(path)
        # The first rank counts, but what ends all of them more than what ended one.
        if earlier is None or (ends_run and not earlier["ends_run"]):
            records.write_json(path, failure)
    return code


if __name__ == "__main__":
    code = main(sys.argv[1:])
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    # A rank that failed must not wait in Horovod's shutdown for ranks that will never come.
    os._exit(code)
