"""What a run takes over from an earlier one before its ranks start, and the record of that.

Either it continues another run (``continue_from``), with its weights, optimizer state and counts,
or it is the same as a finished run but for a larger budget, and takes over all of it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from experiments.config.config_file import load_config
from experiments.config.naming import run_directory, run_name
from experiments.config.schema import Config
from experiments.config.stages import stage_at
from experiments.reporting import run_files
from experiments.reporting.records import write_records
from ffn_core.errors import InputError
from ffn_core.files import whole_file
from ffn_core.metric_names import SCORE
from ffn_core.training import checkpoint as checkpoints

CONTINUED, EXTENDED = "continued", "extended"


@dataclass(frozen=True)
class Lineage:
    """The run that another began with; kept in ``lineage.json``.

    Attributes:
        kind: CONTINUED or EXTENDED.
        run_dir: of the earlier run.
        name: of the earlier run.
        fovs: it had trained on, as of the checkpoint taken.
        step: likewise.
    """

    kind: str
    run_dir: str
    name: str
    fovs: int
    step: int

    @property
    def recipe(self) -> str:
        """The earlier run in words, the same for repeats that differ in their seed."""
        return f"{re.sub(r' s[0-9]+$', '', self.name)} at {self.fovs} FOVs"


@dataclass(frozen=True)
class EarlierRun:
    """A run with a checkpoint.

    Attributes:
        run_dir: its directory.
        config: its configuration, as prepared.
        checkpoint: its newest.
        progress: of the training at that checkpoint.
    """

    run_dir: Path
    config: Config
    checkpoint: Path
    progress: dict[str, Any]

    @property
    def fovs(self) -> int:
        """FOVs it had trained on."""
        return self.config.cluster.fovs_done(self.progress)

    def lineage(self, kind: str) -> Lineage:
        """The record of another run that takes it over."""
        name = run_name(self.config)
        return Lineage(kind, str(self.run_dir), name, self.fovs, self.progress["step"])

    def require_fit(self, config: Config) -> None:
        """Check that ``config`` can continue from here.

        Raises:
            InputError: it cannot.
        """
        said = f"continue_from={config.continue_from}"
        config.model.require_size(self.config.model.size, said)
        if config.optimizer.name != self.config.optimizer.name:
            raise InputError(
                f"{said} holds the state of optimizer.name={self.config.optimizer.name}, not of "
                f"{config.optimizer.name}: keep the optimizer, or take only the weights by "
                "model.checkpoint"
            )
        if config.budget.fovs is not None and config.budget.fovs <= self.fovs:
            raise InputError(
                f"budget.fovs={config.budget.fovs} counts from the beginning of {said}, which has "
                f"trained on {self.fovs} FOVs already: give more"
            )


def earlier_run(name: str) -> EarlierRun:
    """The run in the directory ``name``.

    Raises:
        InputError: there is none, it has no checkpoint yet, or is damaged.
    """
    run_dir = Path(name).absolute()
    newest = checkpoints.latest(run_dir / run_files.CHECKPOINTS)
    if newest is None:
        raise InputError(f"continue_from={name}: not a run directory with checkpoints")
    return EarlierRun(run_dir, load_config(run_dir), newest, checkpoints.progress_of(newest))


def current_stage(config: Config, run_dir: Path) -> int:
    """Index of the stage that a run continues with, by its newest checkpoint."""
    newest = checkpoints.latest(run_dir / run_files.CHECKPOINTS)
    return stage_at(config.stages, checkpoints.progress_of(newest)["fovs"] if newest else 0)


def lineage_of(run_dir: Path) -> Lineage | None:
    """Which run the one in ``run_dir`` began with; None if it began by itself."""
    values = run_files.read_json(run_dir / run_files.LINEAGE)
    path = run_dir / run_files.LINEAGE
    return None if values is None else run_files.build(Lineage, values, path)


def take_over(config: Config, run_dir: Path) -> str:
    """Put what a run begins with into its directory, unless it has begun.

    Returns:
        What is to be said of it; empty where there is nothing.
    """
    if checkpoints.latest(run_dir / run_files.CHECKPOINTS) is not None:
        return ""
    if config.sweep.extend and not config.stages:  # which are their own budget
        shorter, said = shorter_run(config, run_dir)
        if shorter is not None:
            _extend(shorter, run_dir)
            return f"continues where {shorter.run_dir.name} ended, at {shorter.fovs:,} FOVs"
        if said:
            return said
    if config.continue_from and checkpoints.latest(run_dir / run_files.START) is None:
        earlier = earlier_run(config.continue_from)
        earlier.require_fit(config)
        _continue(earlier, run_dir)
    return ""


def shorter_run(config: Config, run_dir: Path) -> tuple[EarlierRun | None, str]:
    """The longest finished run that a run of ``config`` would repeat at its beginning.

    Returns:
        That run, or None, and why a run that differs in the budget alone cannot be continued.
    """
    found, said = [], ""
    for shorter in _same_but_for_budget(config, run_dir):
        schedules = [one.schedule() for one in (shorter.config, config)]
        if schedules[0].agrees_with(schedules[1], shorter.progress["step"]):
            found.append(shorter)
        else:
            said = (
                f"starts from zero: warm-up or cooldown follow the budget, so that "
                f"{shorter.run_dir.name} ({shorter.config.budget}) had other learning rates"
            )
    best = max(found, key=lambda run: int(run.progress["step"]), default=None)
    return (best, "") if best is not None else (None, said)


def _same_but_for_budget(config: Config, run_dir: Path) -> Iterator[EarlierRun]:
    """Finished runs beside ``run_dir`` that have the options of ``config`` but a smaller budget."""
    name = run_dir.name.rpartition("-")[0]
    for folder in sorted(run_dir.parent.glob(f"{name}-*")):
        result = run_files.read_json(folder / run_files.RESULT) or {}
        if folder == run_dir or result.get("outcome") != "finished":
            continue
        with suppress(InputError):  # damaged, or of an older version
            run = earlier_run(str(folder))
            mine = replace(config, budget=run.config.budget)
            at_its_end = run.progress["step"] == result["step"]
            if run_directory(mine) == folder and at_its_end and _is_less(run, config):
                yield replace(run, config=mine)


def _is_less(run: EarlierRun, config: Config) -> bool:
    budget = config.budget
    if budget.seconds is not None:
        return bool(run.progress["elapsed_s"] < budget.seconds)
    if budget.fovs is not None:
        return run.fovs < budget.fovs
    return bool(run.progress["step"] < (budget.steps or 0))


def _continue(earlier: EarlierRun, run_dir: Path) -> None:
    """Keep weights, optimizer state and counts of a run, which may train on meanwhile."""
    saved = checkpoints.load(earlier.checkpoint)
    kept = ("step", "elapsed_s")
    progress = {name: saved.progress[name] for name in kept} | {"fovs": earlier.fovs}
    begins = replace(saved, progress=progress | {"begins": True})
    _write_lineage(earlier.lineage(CONTINUED), run_dir)
    checkpoints.save(run_dir / run_files.START, begins, None, 0, lambda item: [item], keep=1)


def _extend(shorter: EarlierRun, run_dir: Path) -> None:
    """Copy a run, the checkpoint last: it is what the ranks go by."""
    for name in (run_files.BEST, run_files.CANVASES):
        if (shorter.run_dir / name).is_dir():
            shutil.copytree(shorter.run_dir / name, run_dir / name, dirs_exist_ok=True)
    records = []
    for record in run_files.RunDirectory(shorter.run_dir).records():
        # What summed it up does not sum up this one.
        metrics = {k: v for k, v in record.metrics.items() if not k.startswith(SCORE)}
        records.append(replace(record, metrics=metrics))
    with whole_file(run_dir / run_files.METRICS) as partial:
        write_records(partial, records)
    _write_lineage(shorter.lineage(EXTENDED), run_dir)
    target = run_dir / run_files.CHECKPOINTS / shorter.checkpoint.name
    hidden = target.with_name(f".{target.name}.partial")
    shutil.rmtree(hidden, ignore_errors=True)
    shutil.copytree(shorter.checkpoint, hidden)
    hidden.rename(target)


def _write_lineage(lineage: Lineage, run_dir: Path) -> None:
    run_files.write_json(run_dir / run_files.LINEAGE, asdict(lineage))
