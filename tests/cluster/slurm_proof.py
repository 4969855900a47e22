"""What the proofs on a virtual Slurm have in common: a small run, commands, what Slurm says."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import mpi_environment
import numpy as np
from virtual_slurm import VirtualSlurm

from experiments.reporting import run_files
from experiments.reporting.records import read_records
from ffn_core.training import checkpoint as checkpoints

TINY = [
    *("data.size_zyx=[64,40,40]", "data.min_object_voxels=100"),
    *("model.fov_zyx=[7,7,7]", "model.deltas_zyx=[2,2,2]", "model.depth=2", "model.features=4"),
    *("validation.canvases=4", "validation.every_fovs=500", "report.every_fovs=100"),
    *("report.canvases=0", "checkpoint.every_fovs=100"),
    *("site=slurm", "cluster.threads_per_rank=1", "batch.options=[]", "batch.time_limit=30"),
    # The virtual nodes share cores: a rank that waits must leave its own to the others.
    "+launcher.environment.OMPI_MCA_mpi_yield_when_idle='1'",
]
LIMIT_S = 1200.0


class Proof:
    """Commands against a virtual cluster, in a working directory of their own."""

    def __init__(
        self, slurm: VirtualSlurm, python: Path, folder: Path, options: Sequence[str] = ()
    ) -> None:
        """Nothing is run yet.

        Args:
            slurm: the cluster, which is up.
            python: of the environment with the project.
            folder: working directory of all commands.
            options: added to those of every command.
        """
        self.slurm = slurm
        self.folder = folder
        self._python = python
        self._options = options
        repository = str(mpi_environment.ROOT)
        self._environment = slurm.environment | {"PYTHONPATH": repository}
        self._environment.pop("MLFLOW_TRACKING_URI", None)

    def app(self, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the project as a user would."""
        command = [str(self._python), "-m", module, *arguments, *self._options]
        return subprocess.run(
            command, cwd=self.folder, env=self._environment, capture_output=True, text=True
        )

    def train(self, *arguments: str) -> str:
        """Submit; returns what was said."""
        done = self.app("experiments.train", *arguments)
        check(done.returncode == 0, f"training command failed:\n{done.stdout}{done.stderr}")
        return done.stderr

    def run_dir(self, experiment: str, nodes: int) -> Path:
        """Directory of the only run of ``experiment`` on ``nodes`` nodes."""
        (found,) = (self.folder / "runs" / experiment).glob(f"n{nodes}_*")
        return found

    def wait(self, what: str, ready: Callable[[], bool], every_s: float = 0.5) -> None:
        """Until ``ready``, asked every ``every_s`` seconds; fails after `LIMIT_S`."""
        deadline = time.monotonic() + LIMIT_S
        while not ready():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}: not within {LIMIT_S:.0f} s\n{self.queue()}")
            time.sleep(every_s)

    def wait_for_jobs(self) -> None:
        """Until the queue is empty."""
        self.wait("the end of all jobs", lambda: not self.slurm.call("squeue", "--noheader"))

    def queue(self) -> str:
        """What Slurm lists."""
        return self.slurm.call("squeue", "--format=%i %j %T %r %N")


def check(holds: bool, otherwise: str) -> None:
    """End the proof unless it holds."""
    if not holds:
        raise AssertionError(otherwise)


def nodes_of(proof: Proof, job: str) -> list[str]:
    """Names of the nodes that a job runs on."""
    listed = proof.slurm.call("squeue", "--noheader", f"--jobs={job}", "--format=%N")
    return proof.slurm.call("scontrol", "show", "hostnames", listed).split()


def facts_of(proof: Proof, job: str) -> dict[str, str]:
    """What ``scontrol show job`` says of a job, ended or not."""
    words = proof.slurm.call("scontrol", "--oneliner", "show", "job", job).split()
    pairs = (word.partition("=") for word in words)
    return {name: value for name, separator, value in pairs if separator}


def restarts_of(proof: Proof, job: str) -> int:
    """How often a job went back into the queue."""
    return int(facts_of(proof, job)["Restarts"])


def state_of(proof: Proof, job: str) -> str:
    """State of a job in the queue, in capitals."""
    return proof.slurm.call("squeue", "--noheader", f"--jobs={job}", "--format=%T")


def step_of(run_dir: Path) -> int:
    """Steps that a run has done."""
    return int((run_files.read_json(run_dir / run_files.PROGRESS) or {"step": 0})["step"])


def check_same(expected: Path, found: Path) -> None:
    """Check that two runs ended with the same weights and validation scores."""
    newest = [checkpoints.latest(d / run_files.CHECKPOINTS) for d in (expected, found)]
    weights = [checkpoints.load(path).weights for path in newest if path is not None]
    check(len(weights) == 2, "a checkpoint is missing")
    check(all(map(np.array_equal, *weights)), "the final weights differ")
    scores = [
        {
            r.step: {k: v for k, v in r.metrics.items() if k.startswith(("validation/", "train/"))}
            for r in read_records(d / run_files.METRICS)
        }
        for d in (expected, found)
    ]
    check(scores[0] == scores[1], "the recorded scores differ")
