"""The ``job`` folder of a run directory: what a batch system was given to carry the run out.

``config.yaml`` the run as it was composed, before anything is prepared
``job.sh``      the script
``job.json``    ids of its jobs, the newest last, and the command of that
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from experiments.reporting import run_files

FOLDER = "job"
SCRIPT = "job.sh"
JOB = "job.json"


def job_ids(run_dir: Path) -> list[str]:
    """Jobs that a run was submitted as, the newest last."""
    known = run_files.read_json(run_dir / FOLDER / JOB) or {}
    return list(known.get("job_ids", []))


def add_job(run_dir: Path, job_id: str, command: Sequence[str]) -> None:
    """Note that a run was submitted, once more or for the first time, by ``command``."""
    values = {"job_ids": [*job_ids(run_dir), job_id], "command": command, "unix_s": time.time()}
    run_files.write_json(run_dir / FOLDER / JOB, values)
