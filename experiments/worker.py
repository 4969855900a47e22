"""One rank: ``python -m experiments.worker RUN_DIR``, started by a launcher.

Exit codes are those of `experiments.exit_codes`. ``failure.json`` holds the reason of the first
rank that failed.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Any

import yaml

from experiments import records
from experiments.environment import configure_tensorflow, threads_per_rank
from experiments.exit_codes import EXIT_DIVERGED, EXIT_FAILED, EXIT_INPUT, EXIT_STOPPED
from experiments.schema import Config
from experiments.stop_request import StopRequest
from experiments.typed import from_dict


def load_config(run_dir: Path) -> Config:
    """The config of a run directory."""
    return from_dict(Config, yaml.safe_load((run_dir / records.CONFIG).read_text()))


def run_rank(run_dir: Path) -> int:
    """Train as one rank of the run in ``run_dir``; returns the exit code."""
    config = load_config(run_dir)
    configure_tensorflow(config.cluster.threads_per_rank or threads_per_rank(config.cluster.ranks))
    from experiments.trainer import Trainer
    from ffn_core import distributed

    stop_request = StopRequest(run_dir)
    stop_request.listen()
    collectives = distributed.start(config.cluster.ranks)
    is_first = collectives.topology.rank == 0
    recorder: records.Recorder = (
        records.FileRecorder(run_dir) if is_first else records.NullRecorder()
    )
    summary = Trainer(config, run_dir, collectives, recorder, stop_request).train()
    if is_first and summary["finished"]:
        records.write_json(run_dir / records.RESULT, {"outcome": "finished"} | summary)
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
    from ffn_core.errors import InputError

    try:
        return run_rank(run_dir)
    except InputError as error:
        return _fail(run_dir, EXIT_INPUT, str(error))
    except Exception as error:
        from ffn_core.distributed import peer_lost

        if peer_lost(error):
            # Whoever failed first leaves the reason; one that was killed is told by the launcher.
            print(f"error: another rank is gone: {error}", file=sys.stderr, flush=True)
            return EXIT_FAILED
        diverged = type(error).__name__ == "DivergedError"
        code = EXIT_DIVERGED if diverged else EXIT_FAILED
        return _fail(run_dir, code, f"{error}", traceback.format_exc())


def _fail(run_dir: Path, code: int, message: str, trace: str = "") -> int:
    print(trace or f"error: {message}", file=sys.stderr, flush=True)
    failure: dict[str, Any] = {
        "exit_code": code,
        "rank": int(os.environ.get("HOROVOD_RANK", os.environ.get("OMPI_COMM_WORLD_RANK", 0))),
        "message": message,
        "traceback": trace,
    }
    try:
        with (run_dir / records.FAILURE).open("x") as file:
            file.write(records.to_json(failure))
    except FileExistsError:
        pass  # another rank was first
    return code


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # A rank that failed must not wait in Horovod's shutdown for ranks that will never come.
    os._exit(code)
