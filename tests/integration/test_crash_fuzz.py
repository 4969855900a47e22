"""Killed at random moments, again and again: nothing is lost beyond a checkpoint interval.

``nox -s fuzz`` does it 50 times and leaves a report; the suite does it 3 times.
"""

import itertools
import json
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import pytest
from mlflow.tracking import MlflowClient

from experiments.reporting import run_files
from experiments.reporting.mlflow_sync import LINK, MlflowSync, RunIdentity
from experiments.reporting.provenance import provenance
from experiments.reporting.records import read_records
from ffn_core.training import checkpoint as checkpoints

KILLS = int(os.environ.get("FUZZ_KILLS", "3"))
RANKS = int(os.environ.get("FUZZ_RANKS", "1"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
REPORT = os.environ.get("FUZZ_REPORT")

NODES = 4
INTERVAL_STEPS = 10
MOST_STEPS_BETWEEN = 40
WAIT_S = 240.0
MOMENTS = ("saving", "training", "starting", "saving", "training")

pytestmark = [pytest.mark.ranks, pytest.mark.timeout(600 + 240 * KILLS)]


@dataclass
class Report:
    """What the kills did."""

    kills: Counter[str] = field(default_factory=Counter)
    lost_steps: list[int] = field(default_factory=list)
    partial_folders: int = 0
    cut_lines: int = 0

    def __str__(self) -> str:
        return (
            f"{self.kills.total()} kills ({', '.join(f'{n} {k}' for k, n in self.kills.items())}), "
            f"{RANKS} ranks, seed {SEED}: at most {max(self.lost_steps)} of {INTERVAL_STEPS} steps "
            f"lost, {sum(self.lost_steps) / len(self.lost_steps):.1f} on average; "
            f"{self.partial_folders} checkpoints and {self.cut_lines} records were cut short"
        )


def last_step(run_dir: Path) -> int:
    """Step of the last complete record, without reading all of them; -1 before the first."""
    path = run_dir / run_files.METRICS
    if not path.is_file():
        return -1
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 20_000))
        complete = file.read().rpartition(b"\n")[0]
    return json.loads(complete.rpartition(b"\n")[2])["step"] if complete else -1


def rank_processes(run_dir: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.cmdline()[1:] == ["-m", "experiments.worker", str(run_dir)]:
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_for_moment(rng, run_dir: Path, ranks, kind: str) -> None:
    """Let the run get to a random moment of a kind."""
    if kind == "starting":
        time.sleep(rng.uniform(0.0, 4.0))
        return
    target = last_step(run_dir) + int(rng.integers(1, MOST_STEPS_BETWEEN))
    deadline = time.monotonic() + WAIT_S
    while last_step(run_dir) < target:
        assert ranks.wait(0.002) is None, f"ended before step {target}: {ranks.log_tail(40)}"
        assert time.monotonic() < deadline, f"no step {target} after {WAIT_S} s"
    if kind == "saving":
        checkpoint_folder = run_dir / run_files.CHECKPOINTS
        while not any(checkpoint_folder.glob(".step-*.partial")):
            assert time.monotonic() < deadline, f"no checkpoint after {WAIT_S} s"
        time.sleep(rng.uniform(0.0, 0.01))
    else:
        time.sleep(rng.uniform(0.0, 0.1))


def check_what_is_left(run_dir: Path, newest_before: int, report: Report) -> int:
    """All that a kill must not break; returns the step of the newest checkpoint."""
    folder = run_dir / run_files.CHECKPOINTS
    newest = 0
    for path in checkpoints.list_checkpoints(folder):
        newest = checkpoints.load(path).step
        assert len(checkpoints.load_streams(path, range(NODES)).states) == NODES
    assert newest >= newest_before, "a checkpoint is gone"
    report.lost_steps.append(max(0, last_step(run_dir) - newest))
    assert report.lost_steps[-1] <= INTERVAL_STEPS
    report.partial_folders += len(list(folder.glob(".step-*.partial")))
    metrics = run_dir / run_files.METRICS
    if metrics.is_file():
        report.cut_lines += not metrics.read_bytes().endswith(b"\n")
        steps = [record.step for record in read_records(metrics)]
        assert steps == sorted(set(steps)), "a record is there twice"
    return newest


def test_nothing_is_lost_or_counted_twice_however_often_it_is_killed(
    make_config, start_ranks, final_weights, tmp_path
):
    config = make_config(
        budget={"steps": 100 + 100 * KILLS},
        cluster={"nodes": NODES, "ranks": RANKS, "threads_per_rank": 1},
        checkpoint={"every_fovs": INTERVAL_STEPS * NODES},
        validation={"canvases": 0},
    )
    undisturbed, fuzzed = tmp_path / "undisturbed", tmp_path / "fuzzed"
    run_to_its_end(start_ranks, config, undisturbed)

    rng, report, newest = np.random.default_rng(SEED), Report(), 0
    for moment in itertools.islice(itertools.cycle(MOMENTS), KILLS):
        with start_ranks(config, fuzzed) as ranks:
            wait_for_moment(rng, fuzzed, ranks, moment)
            victims = rank_processes(fuzzed)
            if victims and rng.random() < 0.5:
                victims = [victims[rng.integers(len(victims))]]  # the others notice by themselves
            for process in victims:
                process.kill()
            assert not victims or ranks.wait(WAIT_S) not in (0, None)
        assert rank_processes(fuzzed) == []
        report.kills[moment] += 1
        newest = check_what_is_left(fuzzed, newest, report)
        (fuzzed / run_files.FAILURE).unlink(missing_ok=True)
        print(f"{report.kills.total()}: {moment}, checkpoint at {newest}", flush=True)
    print(report)

    run_to_its_end(start_ranks, config, fuzzed)
    check_records(fuzzed, undisturbed)
    check_store(fuzzed, f"sqlite:///{tmp_path}/mlflow.db")
    np.testing.assert_array_equal(final_weights(fuzzed), final_weights(undisturbed))
    if REPORT:
        text = str(report) + "; records and final weights equal those of the undisturbed run"
        facts = {"text": text, "provenance": provenance()}
        run_files.write_json(Path(REPORT), vars(report) | facts)


def run_to_its_end(start_ranks, config, run_dir: Path) -> None:
    with start_ranks(config, run_dir) as ranks:
        assert ranks.wait(WAIT_S + 20.0 * KILLS) == 0, ranks.log_tail(60)


def check_records(fuzzed: Path, undisturbed: Path) -> None:
    ours, theirs = (read_records(d / run_files.METRICS) for d in (fuzzed, undisturbed))
    fovs = [record.fovs for record in ours]
    assert all(a < b for a, b in itertools.pairwise(fovs))
    assert fovs == [record.fovs for record in theirs]
    losses = [[record.metrics["train/loss"] for record in run] for run in (ours, theirs)]
    np.testing.assert_array_equal(*losses)


def check_store(run_dir: Path, uri: str) -> None:
    """Imported twice, each record is in MLflow once."""
    fovs = [record.fovs for record in read_records(run_dir / run_files.METRICS)]
    for _ in range(2):
        sync = MlflowSync(uri, run_dir, RunIdentity("fuzz", "fuzzed", {}, {}))
        assert sync.finish("FINISHED", {}, {}), sync.error
    run_id = run_files.read_json(run_dir / LINK)["run_id"]
    history = MlflowClient(uri).get_metric_history(run_id, "train/loss")
    assert [metric.step for metric in history] == fovs
