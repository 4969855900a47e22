"""One point of a study, start to end: prepare, launch the ranks, mirror to MLflow, conclude."""

from __future__ import annotations

import dataclasses
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from experiments import records
from experiments.exit_codes import EXIT_DIVERGED, EXIT_INPUT
from experiments.launch import Ranks
from experiments.mirror import Identity, Mirror
from experiments.naming import identity, point_name, run_directory
from experiments.prepare import prepare
from experiments.provenance import provenance
from experiments.recorder import absolute_uri
from experiments.schema import Config, flatten
from experiments.screen import Screen
from ffn_core import checkpoint as checkpoints
from ffn_core.errors import InputError

STOP_GRACE_S = 120.0
"""How long ranks may take to finish a step and save when they are asked to stop."""

_STATUS = {"finished": "FINISHED", "stopped": "KILLED"}


@dataclass(frozen=True)
class Outcome:
    """How a point ended.

    Attributes:
        name: the point's name.
        run_dir: its folder.
        outcome: ``finished``, ``skipped`` (was finished before), ``diverged``, ``stopped``,
            ``failed`` or ``input`` (bad input).
        message: reason, where it did not finish.
    """

    name: str
    run_dir: Path
    outcome: str
    message: str = ""


def run_point(config: Config, screen: Screen, parent: str | None = None) -> Outcome:
    """Carry out one run, or find that it has been.

    Args:
        config: the run.
        screen: where progress is shown.
        parent: MLflow run of the sweep; its points end in an outcome, whatever goes wrong.

    Raises:
        InputError: without ``parent``, for bad input found before anything was started.
        KeyboardInterrupt: again, once the ranks have saved a checkpoint and ended.
    """
    run_dir, name = run_directory(config), point_name(config)
    done = records.read_json(run_dir / records.RESULT)
    if done is not None:
        return Outcome(name, run_dir, "skipped", done["outcome"])
    prepared = prepare(config) if parent is None else None
    run_dir.mkdir(parents=True, exist_ok=True)
    (run_dir / records.FAILURE).unlink(missing_ok=True)
    (run_dir / records.STOP).unlink(missing_ok=True)
    mirror = Mirror(
        absolute_uri(config.tracking.uri), run_dir, _identity(config, name, run_dir, parent)
    )
    interrupted = False
    try:
        prepared = prepared or prepare(config)
        _write_config(run_dir, prepared)
        with screen.point(name) as bar:
            interrupted = _follow(prepared, run_dir, mirror, bar)
        outcome = _conclude(name, run_dir)
    except InputError as error:
        outcome = Outcome(name, run_dir, "input", str(error))
    except Exception:
        trace = traceback.format_exc()
        records.write_json(
            run_dir / records.FAILURE, {"message": trace.splitlines()[-1], "traceback": trace}
        )
        outcome = Outcome(name, run_dir, "failed", trace.splitlines()[-1])
    _close(mirror, outcome, screen)
    if interrupted:
        raise KeyboardInterrupt
    return outcome


def _follow(config: Config, run_dir: Path, mirror: Mirror, bar: Any) -> bool:
    """Run the ranks to their end; returns whether the user interrupted them."""
    interrupted = False
    with Ranks(config, run_dir) as ranks:
        deadline = None
        while True:
            try:
                if ranks.wait(0.5) is not None:
                    break
                bar.update(records.read_json(run_dir / records.PROGRESS), mirror.poll())
                if deadline is not None and time.monotonic() > deadline:
                    break
            except KeyboardInterrupt:
                if interrupted:
                    break  # asked twice: do not wait for the checkpoint
                interrupted = True
                deadline = time.monotonic() + STOP_GRACE_S
                (run_dir / records.STOP).touch()
        bar.update(records.read_json(run_dir / records.PROGRESS), mirror.poll())
        if (
            (run_dir / records.RESULT).is_file()
            or (run_dir / records.FAILURE).is_file()
            or interrupted
        ):
            return interrupted
        records.write_json(
            run_dir / records.FAILURE,
            {"message": _died(ranks.log_tail()), "traceback": ranks.log_tail(60)},
        )
    return False


def _died(tail: str) -> str:
    """What can be said of ranks that ended without leaving a reason."""
    for line in reversed(tail.splitlines()):
        if "Exit code:" in line or "signal" in line.lower():
            if "137" in line or "-9" in line or "signal 9" in line.lower():
                return "a rank was killed by SIGKILL: out of memory, or killed by hand"
            return f"the launcher reports: {line.strip()}"
    return f"the ranks ended without a result; the launcher's last line: {tail[-200:].strip()}"


def _conclude(name: str, run_dir: Path) -> Outcome:
    if records.read_json(run_dir / records.RESULT) is not None:
        return Outcome(name, run_dir, "finished")
    failure = records.read_json(run_dir / records.FAILURE)
    if failure is None:
        return Outcome(name, run_dir, "stopped", "interrupted; repeat the command to go on")
    kind = {EXIT_INPUT: "input", EXIT_DIVERGED: "diverged"}.get(failure.get("exit_code"), "failed")
    if kind == "diverged":
        records.write_json(
            run_dir / records.RESULT, {"outcome": kind, "message": failure["message"]}
        )
    return Outcome(name, run_dir, kind, failure["message"])


def _close(mirror: Mirror, outcome: Outcome, screen: Screen) -> None:
    run_dir = outcome.run_dir
    artifacts: dict[Path, str | None] = {}
    for name in (
        records.CONFIG,
        records.PROVENANCE,
        records.FAILURE,
        records.RESULT,
        records.METRICS,
    ):
        if (run_dir / name).is_file():
            artifacts[run_dir / name] = None
    newest = checkpoints.latest(run_dir / records.CHECKPOINTS)
    if newest is not None:
        # The state of the example streams can be large and is of use only where it is.
        artifacts[newest / checkpoints.SHARED] = "checkpoint"
        artifacts[newest / checkpoints.MANIFEST] = "checkpoint"
    tags = {"ffn_scaling.outcome": outcome.outcome}
    if outcome.message:
        tags["ffn_scaling.reason"] = outcome.message[:5000]
    if not mirror.finish(_STATUS.get(outcome.outcome, "FAILED"), artifacts, tags):
        screen.warn(
            f"MLflow did not take everything of this run ({mirror.error}); nothing is lost, send "
            f"it later with: python -m experiments.import_runs {run_dir}"
        )


def _identity(config: Config, name: str, run_dir: Path, parent: str | None) -> Identity:
    values = dataclasses.asdict(config)
    params = flatten({k: v for k, v in values.items() if k not in ("tracking", "budget")})
    del params["learning_rate.warmup.steps"]
    del params["learning_rate.warmup.fovs"]
    del params["learning_rate.warmup.fraction"]
    params["learning_rate.warmup"] = str(config.learning_rate.warmup)
    params["learning_rate.peak"] = config.learning_rate.peak(config.cluster.nodes)
    params["budget"] = str(config.budget)
    facts = provenance()
    records.write_json(run_dir / records.PROVENANCE, facts)
    tags = {
        "ffn_scaling.kind": "point",
        "ffn_scaling.identity": identity(config),
        "ffn_scaling.run_dir": str(run_dir),
        "cluster.emulated": str(config.cluster.group.emulated).lower(),
        "mlflow.source.name": "experiments.train",
        "mlflow.source.git.commit": facts["git.commit"],
    }
    tags |= {key: facts[key] for key in ("host.name", "host.cpu", "version.tensorflow-cpu")}
    return Identity(config.tracking.experiment, name, params, tags, parent)


def _write_config(run_dir: Path, config: Config) -> None:
    text = yaml.safe_dump(dataclasses.asdict(config), sort_keys=False)
    partial = run_dir / f".{records.CONFIG}"
    partial.write_text(text)
    partial.replace(run_dir / records.CONFIG)
