"""Runs on a real Slurm: four virtual nodes, srun over PMIx, Horovod over MPI.

    python tests/cluster/prove_slurm.py RESULTS_DIR [scaling] [stages] [survival] [--gloo]

What must hold, each really run: a sweep becomes one job per point, with 1, 2 and 4 nodes, and its
repetition runs nothing (scaling); a run in stages becomes jobs that wait for each other, and the
same command completes it where one of them was lost (stages, see `staged_chain`); a job that is
preempted, then loses a node, then the node it stands on goes back into the queue each time, and
ends with the weights and validation scores of a run that was not disturbed, to the last bit
(survival).

With ``--gloo`` the environment is the one of this Python, whose Horovod needs no MPI. Jobs, their
allocations and their order are the same, but all ranks of a job then run on its first node.
"""

from __future__ import annotations

import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import mpi_environment
import numpy as np
from slurm_proof import (
    TINY,
    Proof,
    check,
    check_same,
    nodes_of,
    restarts_of,
    state_of,
    step_of,
)
from staged_chain import stages
from virtual_slurm import NODES, VirtualSlurm

from experiments.launch.slurm import job_ids
from experiments.reporting import run_files
from experiments.reporting.provenance import provenance

SWEEP = ["-m", *TINY, "tracking.experiment=scaling", "budget.steps=300", "cluster.nodes=1,2,4"]
GLOO = ["launcher=gloo", f"launcher.hosts=localhost:{len(NODES)}", "launcher.ranks_per_node=1"]


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
        target = step_of(run_dir) + 100
        proof.wait(f"step {target}", partial(_is_past, run_dir, target), 0.1)
        at, began = step_of(run_dir), time.monotonic()
        what = disturb(proof, job)
        proof.wait("the job to be queued again", partial(_restarted, proof, job, restarts))
        queued_s = round(time.monotonic() - began, 1)
        rows.append({"disturbance": what, "at_step": at, "queued_again_after_s": queued_s})
        print(rows[-1])
        proof.wait("the job to run again", lambda: state_of(proof, job) == "RUNNING")
    proof.wait_for_jobs()
    for path in (undisturbed, run_dir):
        check((path / run_files.RESULT).is_file(), f"{path} has no result; see its logs")
    check(restarts_of(proof, job) == len(rows), f"{restarts_of(proof, job)} restarts")
    check_same(undisturbed, run_dir)
    return rows


def _steps(proof: Proof) -> int:
    """Steps that take half a minute, by the throughput of the sweep if that was run."""
    try:
        result = run_files.read_json(proof.run_dir("scaling", 2) / run_files.RESULT)
    except ValueError:
        return 600
    return int(np.clip(30 * result["fovs_per_second"] / 2, 600, 20_000))


def _is_past(run_dir: Path, step: int) -> bool:
    return step_of(run_dir) > step


def _restarted(proof: Proof, job: str, times: int) -> bool:
    return restarts_of(proof, job) > times


def _preempt(proof: Proof, job: str) -> str:
    sleeper = ["--partition=urgent", "--nodes=4", "--output=/dev/null", "--wrap=sleep 5"]
    proof.slurm.call("sbatch", *sleeper)
    proof.wait(f"preemption of job {job}", lambda: state_of(proof, job) == "PENDING")
    return "preempted by a job of a higher partition"


def _lose_another_node(proof: Proof, job: str) -> str:
    node = nodes_of(proof, job)[-1]
    return f"killed node {node} of the job: {proof.slurm.kill_node(node)} processes"


def _lose_its_first_node(proof: Proof, job: str) -> str:
    node = nodes_of(proof, job)[0]
    return f"killed node {node}, the job's first: {proof.slurm.kill_node(node)} processes"


PARTS: dict[str, Callable[[Proof], list[dict[str, Any]]]] = {
    "scaling": scaling,
    "stages": stages,
    "survival": survival,
}


def main(results: Path, parts: list[str], gloo: bool) -> None:
    """Run the proof and write what was seen."""
    python = Path(sys.executable) if gloo else mpi_environment.build()
    folder = Path(tempfile.mkdtemp(prefix="virtual-slurm-"))
    work = folder / "work"
    work.mkdir()
    with VirtualSlurm(folder / "cluster") as slurm:
        proof = Proof(slurm, python, work, GLOO if gloo else ())
        facts = provenance() | {"slurm": slurm.call("sinfo", "--version"), "nodes": len(NODES)}
        facts["launcher"] = "gloo" if gloo else "srun"
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
    words = [word for word in sys.argv[1:] if word != "--gloo"]
    main(Path(words[0]), words[1:] or list(PARTS), "--gloo" in sys.argv)
