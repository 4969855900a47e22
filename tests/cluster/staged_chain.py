"""A run in three stages on a virtual Slurm: jobs on 1, 2 and 4 nodes that wait for each other.

Part of `prove_slurm`. What must hold, each really run:

- Slurm holds the dependencies, runs one job at a time, each on its own number of nodes; all end
  well, the FOV count continues, and MLflow has the records of all stages;
- where the second stage's job is canceled, waiting or running, or fails, the third never starts,
  the status says so, and the same command submits what is missing;
- where the second stage's job goes back into the queue, the third waits. Each of these runs
  ends with the weights and scores of the undisturbed one, to the last bit;
- another run that continues from it is a job as well, and says where it came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from mlflow.tracking import MlflowClient
from slurm_proof import TINY, Proof, check, check_same, facts_of, restarts_of, state_of

from experiments.launch.slurm import job_ids
from experiments.reporting import run_files
from ffn_core.exit_codes import EXIT_FAILED, EXIT_STOPPED
from ffn_core.metric_names import CONTINUED_FROM, CURRENT_NODES

NODES = (1, 2, 4)
FOVS = (100, 800, 100)
TOTAL = sum(FOVS)
STAGES = ",".join(f"{{nodes:{n},fovs:{f}}}" for n, f in zip(NODES, FOVS, strict=True))
STAGED = [*TINY, f"stages=[{STAGES}]", "learning_rate.rule=none"]
METRIC = "train/loss"


def stages(proof: Proof) -> list[dict[str, Any]]:
    """The chain undisturbed, disturbed in three ways, and continued."""
    rows = []
    for part in (_undisturbed, _fail, _cancel, _requeue, _continued):
        rows.append(part(proof))
        print(rows[-1], flush=True)
    return rows


def _undisturbed(proof: Proof) -> dict[str, Any]:
    run_dir, jobs, _ = _submit(proof, "chain")
    waiting = [facts_of(proof, job)["Dependency"] for job in jobs]
    check(
        waiting == ["(null)", *(f"afterok:{job}(unfulfilled)" for job in jobs[:-1])], f"{waiting}"
    )
    print(proof.queue(), flush=True)
    _wait_for_the_end(proof, run_dir)
    ended = [facts_of(proof, job) for job in jobs]
    check([job["JobState"] for job in ended] == ["COMPLETED"] * 3, f"{ended}")
    check([int(job["NumNodes"]) for job in ended] == list(NODES), f"{ended}")
    in_turn = all(one["EndTime"] <= other["StartTime"] for one, other in pairwise(ended))
    check(in_turn, f"jobs ran at the same time: {ended}")
    result = run_files.read_json(run_dir / run_files.RESULT)
    facts = [(s["nodes"], s["ranks"], s["fovs"]) for s in result["stages"]]
    check(facts == [(1, 1, 100), (2, 2, 900), (4, 4, TOTAL)], f"{facts}")
    return {"run": "undisturbed", "jobs": jobs, "waiting_for": waiting, "nodes": list(NODES)} | {
        "started": [job["StartTime"] for job in ended],
        "ended": [job["EndTime"] for job in ended],
        "fovs_after_each_stage": [fovs for _, _, fovs in facts],
        "mlflow_records": _check_mlflow(proof, run_dir),
    }


def _continued(proof: Proof) -> dict[str, Any]:
    """A run of its own that begins with the state of the chain."""
    chain = proof.run_dir("chain", 1)
    more = [f"continue_from={chain}", "cluster.nodes=2", f"budget.fovs={TOTAL + 400}"]
    proof.train(*TINY, *more, "learning_rate.rule=none", "tracking.experiment=continued")
    run_dir = proof.run_dir("continued", 2)
    proof.wait_for_jobs()
    lineage = run_files.read_json(run_dir / run_files.LINEAGE)
    check((lineage["kind"], lineage["fovs"]) == ("continued", TOTAL), f"{lineage}")
    run = _in_mlflow(proof, run_dir)
    linked = run_files.read_json(chain / run_files.LINK)["run_id"]
    check(run.data.tags[CONTINUED_FROM] == linked, f"{run.data.tags}")
    result = run_files.read_json(run_dir / run_files.RESULT)
    check((result["outcome"], result["fovs"]) == ("finished", TOTAL + 400), f"{result}")
    return {"run": "continues the chain", "from_fovs": TOTAL, "to_fovs": result["fovs"]}


def _requeue(proof: Proof) -> dict[str, Any]:
    run_dir, jobs, _ = _submit(proof, "requeued")
    at = _wait_for_second_stage(proof, run_dir)
    proof.slurm.call("scontrol", "requeue", jobs[1])
    proof.wait("the job to be queued again", lambda: restarts_of(proof, jobs[1]) == 1)
    check(state_of(proof, jobs[2]) == "PENDING", proof.queue())
    _wait_for_the_end(proof, run_dir)
    check(job_ids(run_dir) == jobs, "another job was submitted")
    check_same(proof.run_dir("chain", 1), run_dir)
    return {"run": "second stage requeued", "at_fovs": at, "jobs": jobs}


def _cancel(proof: Proof) -> dict[str, Any]:
    run_dir, jobs, command = _submit(proof, "canceled")
    at = _wait_for_second_stage(proof, run_dir)
    proof.slurm.call("scancel", jobs[1])
    proof.wait_for_jobs()
    row = _broken_off(proof, command, run_dir, jobs, EXIT_STOPPED, "stopped")
    return {"run": "second stage canceled", "at_fovs": at} | row


def _fail(proof: Proof) -> dict[str, Any]:
    """The second stage's job is canceled while it waits; the next one's script fails."""
    begin, repaired = proof.folder / "begin", proof.folder / "repaired"
    nodes = "$SLURM_JOB_NUM_NODES"
    waits = f"test {nodes} -ne 1 || until test -e {begin}; do sleep 0.2; done"
    setup = f"batch.setup=['{waits}','test -e {repaired} -o {nodes} -ne 2']"
    run_dir, jobs, command = _submit(proof, "failed", setup)
    proof.slurm.call("scancel", jobs[1])
    proof.wait("the third to be canceled too", lambda: _never_started(proof, jobs[2]))
    said = proof.train(*command)
    first, fresh = jobs[0], job_ids(run_dir)[len(jobs) :]
    check(f"jobs {', '.join(fresh)}, after job {first}" in said and len(fresh) == 2, said)
    waits_for = facts_of(proof, fresh[0])["Dependency"]
    check(waits_for == f"afterok:{first}(unfulfilled)", waits_for)
    print(said.splitlines()[0], flush=True)
    begin.touch()
    proof.wait_for_jobs()
    repaired.touch()
    row = _broken_off(proof, command, run_dir, [first, *fresh], EXIT_FAILED, "failed")
    return {"run": "second stage canceled while it waits, then failed", "before": jobs} | row


def _never_started(proof: Proof, job: str) -> bool:
    facts = facts_of(proof, job)
    return (facts["JobState"], facts["RunTime"]) == ("CANCELLED", "00:00:00")


def _broken_off(
    proof: Proof, command: Sequence[str], run_dir: Path, jobs: list[str], code: int, state: str
) -> dict[str, Any]:
    """Check what is left of a chain whose second job ended badly, and complete it."""
    last = facts_of(proof, jobs[2])
    check(_never_started(proof, jobs[2]), f"{last}")
    status = proof.app("experiments.sweep_status", *command)
    said = " ".join(status.stdout.split())
    check(status.returncode == code, f"exit code {status.returncode}: {said}")
    check(f" {state} {jobs[1]} " in said and "stage 2 of 3: " in said, said)
    before, known = len(run_files.RunDirectory(run_dir).records()), job_ids(run_dir)
    again = proof.train(*command)
    fresh = job_ids(run_dir)[len(known) :]
    check(f"jobs {', '.join(fresh)}" in again and len(fresh) == 2, again)
    print(said, again.splitlines()[0], sep="\n", flush=True)
    _wait_for_the_end(proof, run_dir)
    check(before > 0, "nothing had been recorded")
    check_same(proof.run_dir("chain", 1), run_dir)
    _check_mlflow(proof, run_dir)
    reason = f"{last['JobState']} ({last['Reason']})"
    return {"jobs": jobs, "third_job": reason, "status": said, "submitted_then": fresh}


def _submit(proof: Proof, experiment: str, *more: str) -> tuple[Path, list[str], list[str]]:
    """Run directory, jobs and arguments of a chain that was submitted."""
    command = [*STAGED, f"tracking.experiment={experiment}", *more]
    said = proof.train(*command)
    run_dir = proof.run_dir(experiment, NODES[0])
    jobs = job_ids(run_dir)
    check(len(jobs) == len(NODES) and f"jobs {', '.join(jobs)}" in said, said)
    return run_dir, jobs, command


def _wait_for_second_stage(proof: Proof, run_dir: Path) -> int:
    """Until the second stage has trained for a while; returns the FOVs of the run."""

    def fovs() -> int:
        records = run_files.RunDirectory(run_dir).records()
        return records[-1].fovs if records else 0

    proof.wait("the second stage", lambda: fovs() >= FOVS[0] + 100, 0.1)
    at = fovs()
    check(at < FOVS[0] + FOVS[1], f"the second stage was over at {at} FOVs")
    return at


def _wait_for_the_end(proof: Proof, run_dir: Path) -> None:
    proof.wait_for_jobs()
    result = run_files.read_json(run_dir / run_files.RESULT) or {}
    found = result.get("outcome"), result.get("fovs")
    check(found == ("finished", TOTAL), f"{run_dir} ended with {found}; see its logs")


def _check_mlflow(proof: Proof, run_dir: Path) -> int:
    """Check that the store has a finished run with every record of every stage; how many."""
    run = _in_mlflow(proof, run_dir)
    check(run.info.status == "FINISHED", f"{run.info.status}")
    here = [r for r in run_files.RunDirectory(run_dir).records() if METRIC in r.metrics]
    history = _client(proof).get_metric_history(run.info.run_id, METRIC)
    sent = sorted((m.step, m.value) for m in history)
    check(len(sent) == len(here), f"{len(sent)} of {len(here)} records are in the store")
    check([v for _, v in sent] == [r.metrics[METRIC] for r in here], "records differ")
    nodes = {m.value for m in _client(proof).get_metric_history(run.info.run_id, CURRENT_NODES)}
    check(nodes == set(NODES), f"nodes {nodes}")
    ordered = all(one.fovs < other.fovs for one, other in pairwise(here))
    check(ordered and here[-1].fovs == TOTAL, "the FOV count does not continue")
    return len(sent)


def _in_mlflow(proof: Proof, run_dir: Path) -> Any:
    return _client(proof).get_run(run_files.read_json(run_dir / run_files.LINK)["run_id"])


def _client(proof: Proof) -> MlflowClient:
    return MlflowClient(f"sqlite:///{proof.folder / 'mlflow.db'}")
