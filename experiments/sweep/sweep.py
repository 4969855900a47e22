"""The points of one command line: carried out, and children of one MLflow run."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from experiments.config.naming import experiment_folder, point_name, run_directory
from experiments.config.schema import Config
from experiments.launch.launchers import require_no_launcher
from experiments.reporting import run_files
from experiments.reporting.figures import draw_figures
from experiments.reporting.mlflow_store import Store, StoreError, page
from experiments.reporting.redaction import redacted_text, typed_command
from experiments.reporting.store_calls import Call, StoreCalls, calls_to, reason
from experiments.reporting.terminal import Terminal
from experiments.sweep.dry_run import SweepPlan
from experiments.sweep.efficiency import COLUMNS, TABLE, SweepScaling, send
from experiments.sweep.outcome import Outcome
from experiments.sweep.point import Point
from experiments.sweep.scheduler import carry_out
from experiments.sweep.slurm_submit import submit_point
from ffn_core import metric_names as names
from ffn_core.errors import InputError
from ffn_core.files import digest
from ffn_core.runtime import absolute_uri, warn_of_precision

FAILURES = ("failed", "input")

START_PATIENCE_S = 2.0
"""How long the first point of a sweep waits for a server to make the run of the sweep."""


class Sweep:
    """The points of one command: `add` them all, `run` them, and `close` whatever happened."""

    def __init__(self, arguments: list[str], terminal: Terminal, question: str = "") -> None:
        """Nothing is created before the first point.

        Args:
            arguments: the command line, by which a repeated sweep is recognized.
            terminal: the terminal.
            question: what the sweep is to answer, shown in MLflow.
        """
        self._arguments = arguments
        self._terminal = terminal
        self._question = question
        self._waiting: dict[Path, Config] = {}
        self._in_sweep = False
        self._baseline_nodes: int | None = None
        self._experiment = ""
        self._parent: str | None = None
        self._starting: Call[str] | None = None
        self._plan: SweepPlan | None = None
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
            InputError: in a dry run, for a launcher that is unknown, or needs more of the config.
        """
        self.uri = absolute_uri(config.tracking.uri)
        self._in_sweep = in_sweep
        self._experiment = config.tracking.experiment
        self._baseline_nodes = config.sweep.baseline_nodes
        self._warn_once(warn_of_precision(config.model.precision) if _runs_here(config) else None)
        if config.sweep.dry_run:
            self._plan = self._plan or SweepPlan(Path(config.runs_dir))
            self._plan.add(config)
        else:
            self._waiting.setdefault(run_directory(config), config)

    def _warn_once(self, line: str | None) -> None:
        if line and line not in self._warnings:
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
        limit = min((config.sweep.parallel for config in self._waiting.values()), default=1)
        carry_out(self._to_run(), limit, self._take_in)

    def _to_run(self) -> Iterator[Point]:
        """Points to be run here, each made when its turn has come; the others are dealt with."""
        for config in self._waiting.values():
            if config.sweep.fail_fast and self.failed:
                reason = "not started: an earlier point failed and sweep.fail_fast is set"
                self._add(Outcome(point_name(config), run_directory(config), "left out", reason))
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
        except InputError as error:
            return Outcome(point_name(config), run_directory(config), "input", str(error))

    def _add(self, outcome: Outcome) -> None:
        if outcome.outcome == "input" and not self._in_sweep:
            raise InputError(outcome.message)
        self.outcomes.append(outcome)
        if outcome.outcome == "input":
            self._terminal.error(f"{outcome.name}: {outcome.message}")
            return
        line = f"{outcome.name}: {outcome.outcome}"
        more = "; ".join(filter(None, (outcome.message, outcome.score)))
        self._terminal.say(f"{line} ({more})" if more else line)

    def close(self, interrupted: bool) -> None:
        """Print the plan of a dry run, or conclude the parent run and say where to look."""
        if self._plan is not None:
            self._plan.show(self._terminal)
        if any(o.outcome != "input" for o in self.outcomes):
            self._terminal.say(f"runs: {self.outcomes[-1].run_dir.parent}")
            self._terminal.say(f"compare them: {self._ui_command()}")
        if any(o.outcome == "submitted" for o in self.outcomes):
            follow = ["python", "-m", "experiments.sweep_status", *self._arguments]
            self._terminal.say(f"how far they are: {shlex.join(follow)}")
            return  # jobs are to run yet: a repeat that finds them done concludes the parent run
        if self._in_sweep and self.outcomes and not interrupted:
            self._compare()
        if self._parent is None:
            return
        parent = self._parent
        status = "KILLED" if interrupted else "FAILED" if self.failed else "FINISHED"
        try:
            figures = None if interrupted else self._draw_figures()
            if figures is not None:
                self._calls.call(lambda store: store.log_artifact(parent, figures, "figures"))
            self._calls.call(lambda store: store.set_status(parent, status))
        except StoreError as error:
            self._warn_of_store(error)

    def _compare(self) -> None:
        """Speed-up and parallel efficiency of the points: shown, recorded and sent to MLflow."""
        folder = self.outcomes[-1].run_dir.parent
        scaling = SweepScaling(folder, [o.run_dir for o in self.outcomes], self._baseline_nodes)
        best = scaling.best()
        if best is None:
            return
        for title, rows in scaling.tables():
            self._terminal.table(title, COLUMNS, rows)
        compared = scaling.keep()
        scaling.write_table(folder / TABLE)
        if self._parent is None:
            return
        parent = self._parent
        try:
            self._calls.call(lambda store: send(compared, store))
            self._calls.call(lambda store: store.log_records(parent, [best]))
            self._calls.call(lambda store: store.log_artifact(parent, folder / TABLE))
        except StoreError as error:
            self._warn_of_store(error)

    def _draw_figures(self) -> Path | None:
        """Draw the study's figures into its folder; None if that did not work."""
        if self._calls.answers is False:
            return None  # nothing to draw from
        target = self.outcomes[-1].run_dir.parent / "figures"
        wanted = self._experiment, target, self.uri, self._terminal, self._baseline_nodes
        return target if draw_figures(*wanted) else None

    def _ui_command(self) -> str:
        command = f"mlflow ui --host 127.0.0.1 --backend-store-uri {shlex.quote(self.uri)}"
        try:
            if self._calls.in_background and not self._calls.answers:
                return command
            experiment = self._calls.call(lambda store: store.experiment_id(self._experiment))
        except StoreError:
            return command
        return f"{command}, then open http://127.0.0.1:5000{page(experiment)}"

    def _parent_of(self, config: Config) -> str:
        """Id of the parent run; empty while the store does not answer."""
        if self._parent is None:
            first = self._starting is None
            if self._starting is None:
                self._starting = self._calls.submit(
                    lambda store: self._find_or_start(store, config)
                )
            if not self._calls.wait(self._starting, START_PATIENCE_S if first else 0.0):
                if first:
                    self._warn_of_store(self._calls.silent(START_PATIENCE_S))
                return ""
            starting, self._starting = self._starting, None
            try:
                self._parent = starting.result()
            except StoreError as error:
                self._warn_of_store(error)
        return self._parent or ""

    def _find_or_start(self, store: Store, config: Config) -> str:
        key = digest("\n".join(sorted(self._arguments)))[:8]
        folder = experiment_folder(config)
        link = folder / f"sweep-{key}.json"
        known = run_files.read_json(link) or {}
        run_id = str(known.get("run_id"))
        uri = redacted_text(self.uri)
        if known.get("uri") == uri and store.has_run(run_id):
            store.set_status(run_id, "RUNNING")
            return run_id
        note = f"{self._question}\n\n```\n{self.command}\n```".strip()
        tags = {names.KIND: names.SWEEP, names.NOTE: note}
        run_id = store.start_run(config.tracking.experiment, f"sweep {key}", tags)
        folder.mkdir(parents=True, exist_ok=True)
        run_files.write_json(link, {"uri": uri, "run_id": run_id})
        return run_id

    def _warn_of_store(self, error: Exception) -> None:
        self._terminal.warn(f"MLflow store {self.uri}: {reason(error)}")


def _runs_here(config: Config) -> bool:
    """Whether all ranks are processes of this machine; others look at their own."""
    launcher = config.launcher
    elsewhere = config.batch.system or launcher.hosts or launcher.name not in ("gloo", "mpi")
    return not elsewhere
