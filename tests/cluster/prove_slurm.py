"""Weak scaling and survival on a real Slurm: four virtual nodes, srun over PMIx, Horovod over MPI.

    python tests/cluster/prove_slurm.py RESULTS_DIR [scaling] [survival]

What must hold, each really run: a sweep becomes one job per point, with 1, 2 and 4 nodes, and its
repetition runs nothing (scaling); a job that is preempted, then loses a node, then the node it
stands on goes back into the queue each time, and ends with the weights and validation scores of a
run that was not disturbed, to the last bit (survival).
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpi_environment
import numpy as np
from virtual_slurm import NODES, VirtualSlurm

from experiments.launch.slurm import job_ids
from experiments.reporting import run_files
from experiments.reporting.provenance import provenance
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
SWEEP = ["-m", *TINY, "tracking.experiment=scaling", "budget.steps=300", "cluster.nodes=1,2,4"]
LIMIT_S = 1200.0


class Proof:
    """Commands against a virtual cluster, in a working directory of their own."""

    def __init__(self, slurm: VirtualSlurm, python: Path, folder: Path) -> None:
        self.slurm = slurm
        self._python = python
        self._folder = folder
        repository = str(mpi_environment.ROOT)
        self._environment = slurm.environment | {"PYTHONPATH": repository}
        self._environment.pop("MLFLOW_TRACKING_URI", None)

    def app(self, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the project as a user would."""
        command = [str(self._python), "-m", module, *arguments]
        return subprocess.run(
            command, cwd=self._folder, env=self._environment, capture_output=True, text=True
        )

    def train(self, *arguments: str) -> str:
        """Submit; returns what was said."""
        done = self.app("experiments.train", *arguments)
        check(done.returncode == 0, f"training command failed:\n{done.stdout}{done.stderr}")
        return done.stderr

    def run_dir(self, experiment: str, nodes: int) -> Path:
        """Directory of the only run of ``experiment`` on ``nodes`` nodes."""
        (found,) = (self._folder / "runs" / experiment).glob(f"n{nodes}_*")
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


def scaling(proof: Proof) -> list[dict[str, Any]]:
    """A sweep over 1, 2 and 4 nodes, each point a job of that many."""
    said = proof.train(*SWEEP)
    check(said.count(": submitted (job ") == 3, said)
    print(proof.app("experiments.sweep_status", *SWEEP).stdout)  # some wait, some run
    proof.wait_for_jobs()
    status = proof.app("experiments.sweep_status", *SWEEP)
    print(status.stdout)
    check(status.returncode == 0 and "3 points: 3 finished" in status.stdout, status.stdout)
    again = proof.train(*SWEEP)
    check(again.count("skipped (finished before)") == 3, again)
    rows = []
    for nodes in (1, 2, 4):
        run_dir = proof.run_dir("scaling", nodes)
        (job,) = job_ids(run_dir)
        shown = proof.slurm.call("scontrol", "show", "job", job)
        check(f"NumNodes={nodes} " in shown, shown)
        result = run_files.read_json(run_dir / run_files.RESULT)
        rate = result["fovs_per_second"]  # of processes that share this host's cores
        rows.append({"nodes": nodes, "job": job, "fovs_per_second_here": rate})
    return rows


def survival(proof: Proof) -> list[dict[str, Any]]:
    """One run on two nodes, disturbed three times, against one that was not."""
    long = [*TINY, f"budget.steps={_steps(proof)}", "cluster.nodes=2"]
    proof.train(*long, "tracking.experiment=undisturbed")
    undisturbed = proof.run_dir("undisturbed", 2)
    proof.wait_for_jobs()
    proof.train(*long, "tracking.experiment=disturbed")
    run_dir = proof.run_dir("disturbed", 2)
    (job,) = job_ids(run_dir)
    rows = []
    for restarts, disturb in enumerate((_preempt, _lose_another_node, _lose_its_first_node)):
        target = _step(run_dir) + 100
        proof.wait(f"step {target}", lambda step=target: _step(run_dir) > step, 0.1)
        at, began = _step(run_dir), time.monotonic()
        what = disturb(proof, job)
        proof.wait("the job to be queued again", lambda n=restarts: _restarts(proof, job) > n)
        queued_s = round(time.monotonic() - began, 1)
        rows.append({"disturbance": what, "at_step": at, "queued_again_after_s": queued_s})
        print(rows[-1])
        proof.wait("the job to run again", lambda: _state(proof, job) == "RUNNING")
    proof.wait_for_jobs()
    for path in (undisturbed, run_dir):
        check((path / run_files.RESULT).is_file(), f"{path} has no result; see its logs")
    check(_restarts(proof, job) == len(rows), f"{_restarts(proof, job)} restarts")
    _same(undisturbed, run_dir)
    return rows


def _steps(proof: Proof) -> int:
    """Steps that take half a minute, by the throughput of the sweep if that was run."""
    try:
        result = run_files.read_json(proof.run_dir("scaling", 2) / run_files.RESULT)
    except ValueError:
        return 600
    return int(np.clip(30 * result["fovs_per_second"] / 2, 600, 20_000))


def _preempt(proof: Proof, job: str) -> str:
    sleeper = ["--partition=urgent", "--nodes=4", "--output=/dev/null", "--wrap=sleep 5"]
    proof.slurm.call("sbatch", *sleeper)
    proof.wait(f"preemption of job {job}", lambda: _state(proof, job) == "PENDING")
    return "preempted by a job of a higher partition"


def _lose_another_node(proof: Proof, job: str) -> str:
    node = _nodes(proof, job)[-1]
    return f"killed node {node} of the job: {proof.slurm.kill_node(node)} processes"


def _lose_its_first_node(proof: Proof, job: str) -> str:
    node = _nodes(proof, job)[0]
    return f"killed node {node}, the job's first: {proof.slurm.kill_node(node)} processes"


def _nodes(proof: Proof, job: str) -> list[str]:
    listed = proof.slurm.call("squeue", "--noheader", f"--jobs={job}", "--format=%N")
    return proof.slurm.call("scontrol", "show", "hostnames", listed).split()


def _restarts(proof: Proof, job: str) -> int:
    shown = proof.slurm.call("scontrol", "show", "job", job)
    return int(shown.partition("Restarts=")[2].split()[0])


def _state(proof: Proof, job: str) -> str:
    return proof.slurm.call("squeue", "--noheader", f"--jobs={job}", "--format=%T")


def _step(run_dir: Path) -> int:
    return int((run_files.read_json(run_dir / run_files.PROGRESS) or {"step": 0})["step"])


def _same(expected: Path, found: Path) -> None:
    """Check that two runs ended with the same weights and validation scores."""
    newest = [checkpoints.latest(d / run_files.CHECKPOINTS) for d in (expected, found)]
    weights = [checkpoints.load(path).weights for path in newest if path is not None]
    check(len(weights) == 2, "a checkpoint is missing")
    check(all(map(np.array_equal, *weights)), "the final weights differ")
    scores = [
        {
            r.step: {k: v for k, v in r.metrics.items() if k.startswith(("validation/", "train/"))}
            for r in run_files.read_records(d / run_files.METRICS)
        }
        for d in (expected, found)
    ]
    check(scores[0] == scores[1], "the recorded scores differ")


PARTS: dict[str, Callable[[Proof], list[dict[str, Any]]]] = {
    "scaling": scaling,
    "survival": survival,
}


def main(results: Path, parts: list[str]) -> None:
    """Run the proof and write what was seen."""
    python = mpi_environment.build()
    folder = Path(tempfile.mkdtemp(prefix="virtual-slurm-"))
    work = folder / "work"
    work.mkdir()
    with VirtualSlurm(folder / "cluster") as slurm:
        proof = Proof(slurm, python, work)
        facts = provenance() | {"slurm": slurm.call("sinfo", "--version"), "nodes": len(NODES)}
        found = {part: PARTS[part](proof) for part in parts}
    results.mkdir(parents=True, exist_ok=True)
    print(json.dumps(found, indent=1))
    for part, rows in found.items():
        path = results / f"slurm_{part}.json"
        path.write_text(json.dumps({part: rows, "provenance": facts}, indent=1))
        print(f"written: {path}")
    shutil.rmtree(folder)  # kept where something did not hold


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # tear down then, too
    main(Path(sys.argv[1]), sys.argv[2:] or list(PARTS))
