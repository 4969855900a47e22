"""The points of one command line: carried out, and children of one MLflow run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from experiments.config.naming import experiment_folder, named_for_sweep, run_directory, run_name
from experiments.config.schema import Config
from experiments.launch.devices import warnings_of_devices
from experiments.launch.prepare import check_values, require_room
from experiments.launch.rank_numbers import require_no_launcher
from experiments.launch.volumes import require_fit
from experiments.reporting.figures import draw_figures
from experiments.reporting.mlflow_store import Store, StoreError
from experiments.reporting.mlflow_view import study_note
from experiments.reporting.redaction import redacted_text, typed_command
from experiments.reporting.store_calls import StoreCalls, calls_to, reason
from experiments.reporting.terminal import Terminal
from experiments.sweep import ending
from experiments.sweep.dry_run import SweepPlan
from experiments.sweep.efficiency import COLUMNS, TABLE, SweepScaling, send
from experiments.sweep.outcome import FAILURES, Outcome
from experiments.sweep.pace import PointWatcher, SweepWatcher
from experiments.sweep.parent import (
    REPORT,
    LateRun,
    PointResult,
    SweepRun,
    point_result,
    sweep_note,
)
from experiments.sweep.point import Point
from experiments.sweep.scheduler import carry_out
from experiments.sweep.slurm_submit import submit_point
from ffn_core.errors import InputError, in_one_line
from ffn_core.files import digest
from ffn_core.runtime import absolute_uri

FIGURES = "figures"
"""Folder of a study's figures, in that of its runs and among the artifacts of its sweeps."""


class Sweep:
    """The points of one command: `add` them all, `run` them, and `close` whatever happened."""

    def __init__(
        self, arguments: list[str], terminal: Terminal, question: str = "", preset: str = ""
    ) -> None:
        """Nothing is created before the first point.

        Args:
            arguments: the command line, by which a repeated sweep is recognized.
            terminal: the terminal.
            question: what the sweep is to answer, shown in MLflow.
            preset: what it is named for; empty for the name of its experiment.
        """
        self._arguments = arguments
        self._terminal = terminal
        self._question = question
        self._preset = preset
        self._waiting: dict[Path, Config] = {}
        self._in_sweep = False
        self._baseline_nodes: int | None = None
        self._figures = True
        self._experiment = ""
        self._parent = LateRun(self._warn_of_store)
        self._plan: SweepPlan | None = None
        self._watcher: SweepWatcher | None = None
        self._warnings: set[str] = set()
        self.outcomes: list[Outcome] = []
        self.uri = ""

    @property
    def _calls(self) -> StoreCalls:
        return calls_to(self.uri)

    @property
    def command(self) -> str:
        """What the user typed, without secrets."""
        return typed_command("experiments.train", self._arguments)

    @property
    def failed(self) -> bool:
        """Whether a point failed."""
        return any(o.outcome in FAILURES for o in self.outcomes)

    def add(self, config: Config, in_sweep: bool) -> None:
        """Note a point, to be dealt with as its ``sweep`` section says; the same one counts once.

        Raises:
            InputError: in a dry run, for options that cannot work.
        """
        self.uri = absolute_uri(config.tracking.uri)
        self._in_sweep = in_sweep
        self._experiment = config.tracking.experiment
        self._baseline_nodes = config.sweep.baseline_nodes
        self._figures = config.sweep.figures
        for line in warnings_of_devices(config):
            self._warn_once(line)
        if config.sweep.dry_run:
            check_values(config)
            require_fit(config)
            try:
                require_room(config)
            except InputError as error:  # it may be meant for another machine
                self._warn_once(str(error))
            self._plan = self._plan or SweepPlan(Path(config.runs_dir), self._terminal.warn)
            self._plan.add(config)
        else:
            self._waiting.setdefault(run_directory(config), config)

    def _warn_once(self, line: str) -> None:
        if line not in self._warnings:
            self._warnings.add(line)
            self._terminal.warn(line)

    def run(self) -> None:
        """Carry out the points, ``sweep.parallel`` of them at a time.

        Raises:
            InputError: for bad input of a run that is not part of a sweep.
            KeyboardInterrupt: when the user ended it; all points have ended, too.
        """
        if self._waiting:
            require_no_launcher(os.environ)
        if self._in_sweep:
            self._waiting = named_for_sweep(self._waiting)
            if len(self._waiting) > 1 and not any(c.batch.system for c in self._waiting.values()):
                self._watcher = SweepWatcher(self._terminal, self._waiting)
        limit = min((config.sweep.parallel for config in self._waiting.values()), default=1)
        watcher = self._watcher or PointWatcher(self._terminal)
        carry_out(self._to_run(), limit, self._take_in, watcher)

    def _to_run(self) -> Iterator[Point]:
        """Points to be run here, each made when its turn has come; the others are dealt with."""
        for config in self._waiting.values():
            if config.sweep.fail_fast and self.failed:
                why = "not started: an earlier point failed and sweep.fail_fast is set"
                self._add(Outcome(run_name(config), run_directory(config), "left out", why))
                continue
            parent = self._parent_of(config) if self._in_sweep else None
            if config.batch.system == "slurm":
                self._add(self._submit(config, parent))
            else:
                yield Point(config, self._terminal, parent)

    def _take_in(self, point: Point, outcome: Outcome) -> Point | None:
        """Keep an outcome, or return another attempt at a point that failed."""
        if outcome.outcome == "failed" and point.attempt <= point.config.sweep.retries:
            self._terminal.warn(f"{outcome.name}: {outcome.message}; trying again")
            return point.again()
        self._add(outcome)
        return None

    def _submit(self, config: Config, parent: str | None) -> Outcome:
        try:
            return submit_point(config, parent)
        except (InputError, OSError) as error:
            return Outcome(run_name(config), run_directory(config), "input", in_one_line(error))

    def _add(self, outcome: Outcome) -> None:
        if outcome.outcome == "input" and not self._in_sweep:
            raise InputError(outcome.message)
        self.outcomes.append(outcome)
        if outcome.outcome == "input":
            self._terminal.error(f"{outcome.name}: {outcome.message}")
        else:
            line = f"{outcome.name}: {outcome.outcome}"
            more = "; ".join(filter(None, (outcome.message, outcome.score)))
            self._terminal.say(f"{line} ({more})" if more else line)
            if outcome.course and not self._in_sweep:
                self._terminal.say(outcome.course)
        if self._watcher is not None:
            self._watcher.ended(outcome)

    def close(self, interrupted: bool) -> None:
        """Print the plan of a dry run, or what came of the points; end the run of the sweep."""
        if self._plan is not None:
            self._plan.show(self._terminal)
        self._parent.take_up()
        if any(o.outcome == "submitted" for o in self.outcomes):
            self._say(ending.where_to_look(self._folder, self._experiment, self._calls))
            follow = typed_command("experiments.sweep_status", self._arguments)
            self._terminal.say(f"how far they are: {follow}")
            return  # jobs are to run yet: a repeat that finds them done ends the run of the sweep
        if self._in_sweep and self.outcomes and not interrupted:
            try:
                self._compare()
            except (InputError, OSError) as error:
                self._terminal.warn(f"no comparison was kept: {in_one_line(error)}")
        points = [point_result(outcome) for outcome in self.outcomes]
        if self._parent.run is not None:
            self._end_parent(self._parent.run, points, interrupted)
        if interrupted and (self._waiting or self.outcomes):
            self._terminal.say(f"continue with: {self.command}")
        elif any(o.outcome != "input" for o in self.outcomes):
            self._show_results(points)

    def _show_results(self, points: list[PointResult]) -> None:
        """Print the table of the points, the best one, and the commands that come next."""
        ended_well = ("finished", "skipped")
        reasons = {o.run_dir: o.message for o in self.outcomes if o.outcome not in ended_well}
        self._terminal.table(*ending.results_table(points, reasons))
        if (best := ending.best_point(points)) is not None:
            self._terminal.say(ending.best_line(best))
        self._say(ending.where_to_look(self._folder, self._experiment, self._calls))
        store = None if self.uri == absolute_uri(None) else redacted_text(self.uri)
        commands = ending.next_commands(points, self._experiment, Path.cwd(), store)
        self._say([f"next: {command}" for command in commands])

    def _say(self, lines: list[str]) -> None:
        for line in lines:
            self._terminal.say(line)

    def _end_parent(self, parent: SweepRun, points: list[PointResult], interrupted: bool) -> None:
        """Show what came of the points in the run of the sweep, and end it."""
        report = not interrupted and self._draw()
        status = "KILLED" if interrupted else "FAILED" if self.failed else "FINISHED"

        def end(store: Store) -> None:
            if report:
                store.log_artifact(parent.run_id, self._folder / FIGURES, FIGURES)
                self._calls.heard()
                store.log_artifact(parent.run_id, self._folder / REPORT)
                self._calls.heard()
            parent.show(store, points, self._question, self.command, report)
            self._calls.heard()
            self._set_up_view(store, parent, [dict(point.params) for point in points])
            store.set_status(parent.run_id, status)

        self._send(end)

    @property
    def _folder(self) -> Path:
        """Folder of the study's run directories."""
        return self.outcomes[-1].run_dir.parent

    def _compare(self) -> None:
        """Speed-up and parallel efficiency of the points: shown, recorded and sent to MLflow."""
        folder = self._folder
        scaling = SweepScaling(folder, [o.run_dir for o in self.outcomes], self._baseline_nodes)
        best = scaling.best()
        if best is None:
            return
        for title, rows in scaling.tables():
            self._terminal.table(title, COLUMNS, rows)
        compared = scaling.keep()
        scaling.write_table(folder / TABLE)
        if self._parent.run is None:
            return
        run_id = self._parent.run.run_id

        def show(store: Store) -> None:
            for run_dir in compared:
                send([run_dir], store)
                self._calls.heard()
            store.log_records(run_id, [best])
            store.log_artifact(run_id, folder / TABLE)

        self._send(show)

    def _draw(self) -> bool:
        """Draw the study's figures and its report into its folder; whether both are there."""
        if not self._figures or self._calls.does_not_answer:  # not wanted, or nothing to draw from
            return False
        figures, report = self._folder / FIGURES, self._folder / REPORT
        wanted = self._experiment, figures, self.uri, self._terminal, self._baseline_nodes
        return draw_figures(*wanted, report)

    def _parent_of(self, config: Config) -> str:
        """Id of the parent run; empty while the store does not answer."""
        self._parent.start(self._calls, lambda store: self._start(store, config))
        return self._parent.run.run_id if self._parent.run is not None else ""

    def _start(self, store: Store, config: Config) -> SweepRun:
        """Find or start the run of the sweep, and set up the view of its study."""
        key = digest("\n".join(sorted(self._arguments)))[:8]
        experiment, folder = config.tracking.experiment, experiment_folder(config)
        note = sweep_note(self._question, self.command)
        parent = SweepRun(store, experiment, folder, key, self._preset or experiment, note)
        self._set_up_view(store, parent, [])
        return parent

    def _set_up_view(self, store: Store, parent: SweepRun, params: list[dict[str, Any]]) -> None:
        """Set up how the study opens in MLflow, for parameters of its points as far as known."""
        shown = [run_name(config) for config in self._waiting.values()]
        score = next(iter(self._waiting.values())).score.name
        parent.open_study(store, params, shown, score, study_note(self._question, score))

    def _send(self, action: Callable[[Store], None]) -> None:
        """Have the store called, under its deadline; what it refuses is a warning."""
        try:
            self._calls.call(action)
        except StoreError as error:
            self._warn_of_store(error)

    def _warn_of_store(self, error: Exception) -> None:
        self._terminal.warn(f"MLflow store {self.uri}: {reason(error)}")
