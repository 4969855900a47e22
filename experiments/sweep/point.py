"""One point of a study, start to end: prepare, launch the ranks, sync to MLflow, conclude."""

from __future__ import annotations

import dataclasses
import os
import time
import traceback
from pathlib import Path

from experiments.config.config_file import write_config
from experiments.config.naming import identity, point_name, run_directory
from experiments.config.parsing import flatten
from experiments.config.schema import Config
from experiments.launch.prepare import prepare
from experiments.launch.ranks import Ranks
from experiments.reporting import run_files
from experiments.reporting.exit_codes import EXIT_STOPPED
from experiments.reporting.mlflow_store import absolute_uri
from experiments.reporting.mlflow_sync import MlflowSync, RunIdentity
from experiments.reporting.provenance import provenance
from experiments.reporting.redaction import redacted
from experiments.reporting.terminal import PointBar, Terminal
from experiments.sweep.outcome import Outcome, conclude, report
from ffn_core.errors import InputError

STOP_GRACE_S = 120.0
"""How long ranks may take to finish a step and save when they are asked to stop."""


def run_point(config: Config, terminal: Terminal, parent: str | None = None) -> Outcome:
    """Carry out one run, or find that it has been.

    Args:
        config: the run.
        terminal: where progress is shown.
        parent: MLflow run of the sweep (empty if it could not be made), whose points end in an
            outcome whatever goes wrong; None for a run of its own.

    Raises:
        InputError: without ``parent``, for bad input found before anything was started.
        KeyboardInterrupt: again, once the ranks have saved a checkpoint and ended.
    """
    run_dir, name = run_directory(config), point_name(config)
    done = run_files.read_json(run_dir / run_files.RESULT)
    if done is not None:
        return Outcome(name, run_dir, "skipped", f"{done['outcome']} before")
    prepared = prepare(config) if parent is None else None
    run_dir.mkdir(parents=True, exist_ok=True)
    (run_dir / run_files.FAILURE).unlink(missing_ok=True)
    (run_dir / run_files.STOP).unlink(missing_ok=True)
    uri = absolute_uri(config.tracking.uri)
    sync = MlflowSync(uri, run_dir, _run_identity(config, name, run_dir, parent))
    sync.restart()
    interrupted = False
    try:
        prepared = prepared or prepare(config)
        write_config(run_dir, prepared)
        with terminal.point(name) as bar:
            interrupted = _follow(prepared, run_dir, sync, bar)
        outcome = conclude(name, run_dir)
    except InputError as error:
        outcome = Outcome(name, run_dir, "input", str(error))
    except Exception as error:
        run_files.write_json(
            run_dir / run_files.FAILURE,
            {"message": str(error), "traceback": traceback.format_exc()},
        )
        outcome = Outcome(name, run_dir, "failed", str(error))
    if not report(sync, outcome):
        terminal.warn(
            f"MLflow did not take everything of this run ({sync.error}); nothing is lost, send "
            f"it later with: python -m experiments.import_runs {run_dir}"
        )
    if interrupted:
        raise KeyboardInterrupt
    return outcome


def _follow(config: Config, run_dir: Path, sync: MlflowSync, bar: PointBar) -> bool:
    """Run the ranks to their end; returns whether the user interrupted them."""
    interrupted, code, deadline = False, None, float("inf")
    with Ranks(config, run_dir) as ranks:
        while time.monotonic() < deadline:
            try:
                code = ranks.wait(0.5)
                if code is not None:
                    break
                if (run_files.read_json(run_dir / run_files.FAILURE) or {}).get("ends_run"):
                    deadline = min(deadline, time.monotonic() + STOP_GRACE_S)
                bar.update(run_files.read_json(run_dir / run_files.PROGRESS), sync.poll())
            except KeyboardInterrupt:
                if interrupted:
                    break  # asked twice: do not wait for the checkpoint
                interrupted, deadline = True, time.monotonic() + STOP_GRACE_S
                (run_dir / run_files.STOP).touch()
        bar.update(run_files.read_json(run_dir / run_files.PROGRESS), sync.poll())
        explained = (run_dir / run_files.RESULT).is_file() or (
            run_dir / run_files.FAILURE
        ).is_file()
        # A batch system may ask the ranks themselves to stop: then the launcher says so.
        if not explained and not interrupted and code != EXIT_STOPPED:
            reason = {"message": ranks.died(), "traceback": ranks.log_tail(60)}
            run_files.write_json(run_dir / run_files.FAILURE, reason)
    return interrupted


def _run_identity(config: Config, name: str, run_dir: Path, parent: str | None) -> RunIdentity:
    values = dataclasses.asdict(config)
    del values["tracking"], values["budget"], values["learning_rate"]["warmup"]
    params = flatten(redacted(values))
    params["learning_rate.warmup"] = str(config.learning_rate.warmup)
    params["learning_rate.peak"] = config.learning_rate.peak(config.cluster.nodes)
    params["budget"] = str(config.budget)
    facts = provenance()
    run_files.write_json(run_dir / run_files.PROVENANCE, facts)
    tags = {
        "ffn_scaling.kind": "point",
        "ffn_scaling.identity": identity(config),
        "ffn_scaling.run_dir": str(run_dir),
        "cluster.emulated": str(config.cluster.group.emulated).lower(),
        "mlflow.source.name": "experiments.train",
        "mlflow.source.git.commit": facts["git.commit"],
    }
    tags |= {key: facts[key] for key in ("host.name", "host.cpu", "version.tensorflow-cpu")}
    if job_id := os.environ.get("SLURM_JOB_ID"):
        tags["slurm.job_id"] = job_id
    return RunIdentity(config.tracking.experiment, name, params, tags, parent)
