"""A series of measurements from its plan to its records: run, measure, draw, store."""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from experiments.config.schema import Config
from experiments.launch.devices import warnings_of_devices
from experiments.launch.prepare import check, prepare
from experiments.launch.rank_numbers import require_no_launcher
from experiments.reporting import run_files
from experiments.reporting.figures import draw_figures
from experiments.reporting.mlflow_store import Store, StoreError
from experiments.reporting.progress import duration
from experiments.reporting.provenance import provenance
from experiments.reporting.redaction import redacted, typed_command
from experiments.reporting.store_calls import calls_to, reason
from experiments.reporting.terminal import Terminal
from experiments.sweep.outcome import import_run
from experiments.throughput.efficiency import Measurement, Results
from experiments.throughput.machine import Machine, read_machine, warnings_before
from experiments.throughput.plan import (
    TIMELINE,
    Plan,
    Shape,
    ThroughputConfig,
    make_plan,
    run_config,
)
from experiments.throughput.processes import Measurer
from experiments.throughput.tables import (
    CURVE_COLUMNS,
    PHASE_COLUMNS,
    curve_rows,
    curve_title,
    document,
    phase_rows,
    scaling_metrics,
    warnings_after,
)
from ffn_core import metric_names as names
from ffn_core.files.outputs import new_folder
from ffn_core.runtime import absolute_uri


class SeriesRecord:
    """The MLflow run that the points of one series are children of."""

    def __init__(self, uri: str, experiment: str, name: str, note: str, terminal: Terminal) -> None:
        """Open it; without an answer of the store ``run_id`` is empty.

        Args:
            uri: MLflow store.
            experiment: MLflow experiment.
            name: Name of the run.
            note: Shown with the run, Markdown.
            terminal: Where to say what did not work.
        """
        self._uri = uri
        self._experiment = experiment
        self._terminal = terminal
        self.run_id = ""
        try:
            tags = {names.KIND: names.SWEEP, names.NOTE: note}
            self.run_id = calls_to(uri).call(lambda store: store.start_run(experiment, name, tags))
        except StoreError as error:
            self._warn(error)

    def add(self, run_dir: Path, metrics: dict[str, float]) -> None:
        """Add a last record to a finished run: to its directory, then to MLflow."""
        files = run_files.RunDirectory(run_dir)
        files.append(replace(files.records()[-1], metrics=metrics))
        if (problem := import_run(run_dir, self._uri)) is not None:
            self._terminal.warn(f"MLflow store {self._uri}: {problem}; nothing is lost")

    def draw(self, out: Path) -> str:
        """Draw the figures of all series in the store; returns the command that does."""
        if not calls_to(self._uri).does_not_answer:
            draw_figures(self._experiment, out, self._uri, self._terminal)
        arguments = ["--out", str(out), "--experiment", self._experiment, "--store", self._uri]
        return " ".join(["python", "-m", "analysis.figures", *arguments])

    def close(self, status: str, artifacts: dict[Path, str | None]) -> None:
        """Set the final status, with files or folders and the artifact folder of each."""
        if not self.run_id:
            return
        calls = calls_to(self._uri)

        def finish(store: Store) -> None:
            for path, folder in artifacts.items():
                if path.exists():
                    store.log_artifact(self.run_id, path, folder)
                    calls.heard()
            store.set_status(self.run_id, status)

        try:
            calls.call(finish)
        except StoreError as error:
            self._warn(error)

    def _warn(self, error: Exception) -> None:
        self._terminal.warn(f"MLflow store {self._uri}: {reason(error)}")


FOLDER = "throughput"
RESULTS = "throughput.json"


class MeasurementSeries:
    """One series of measurements, start to end."""

    def __init__(self, section: ThroughputConfig, config: Config, terminal: Terminal) -> None:
        """Plan it.

        Raises:
            InputError: for anything that could not work.
        """
        self._section, self._config, self._terminal = section, config, terminal
        self._machine: Machine = read_machine()
        self._plan: Plan = make_plan(section, config, self._machine.cpus)
        self._started = datetime.now(UTC)
        self._command = typed_command("experiments.throughput", sys.argv[1:])
        stamp = f"{self._started:%Y%m%d-%H%M%S}"
        self._folder = Path(config.runs_dir).absolute() / FOLDER / stamp
        for shape in self._plan.shapes:
            check(self._run_config(shape, 0))
        # Data that cannot be used are found before anything is recorded.
        prepare(self._run_config(self._plan.shapes[0], 0), terminal.warn)
        self._measurements: list[Measurement] = []
        self._warnings = warnings_before(
            self._machine, self._plan.ranks_per_host, self._plan.threads_per_rank
        )
        self._warnings += warnings_of_devices(self._run_config(self._plan.shapes[-1], 0))
        self._facts = provenance()

    def carry_out(self) -> None:
        """Measure everything, and show, record and draw it.

        Raises:
            MeasurementError: A process failed.
            InputError: Another series has started in the same second.
            KeyboardInterrupt: As is; what was measured until then is written.
        """
        require_no_launcher(os.environ)
        new_folder(self._folder)
        for line in self._warnings:
            self._terminal.warn(line)
        uri, experiment = absolute_uri(self._config.tracking.uri), self._config.tracking.experiment
        note = f"How far does this machine scale?\n\n```\n{self._command}\n```"
        record = SeriesRecord(uri, experiment, self._folder.name, note, self._terminal)
        status, figures = "FAILED", self._folder / "figures"
        try:
            self._measure_all(record)
            late = warnings_after(self._plan.shapes, Results(self._measurements))
            for line in late:
                self._terminal.warn(line)
            self._warnings += late
            self._write()
            self._print()
            self._terminal.say(f"results: {self._folder / RESULTS}")
            drawing = record.draw(figures)
            self._terminal.say(f"draw the figures again: {drawing}")
            status = "FINISHED"
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        finally:
            record.close(status, {self._folder / RESULTS: None, figures: "figures"})

    def _measure_all(self, record: SeriesRecord) -> None:
        """All shapes in turn, repeat after repeat: what drifts on the machine hits all alike."""
        section, shapes = self._section, self._plan.shapes
        measurer = Measurer(self._plan, self._folder, self._terminal, record.run_id)
        todo = [(repeat, shape) for repeat in range(section.repeats) for shape in shapes]
        start = time.monotonic()
        for done, (repeat, shape) in enumerate(todo):
            left_s = (time.monotonic() - start) / done * (len(todo) - done) if done else None
            self._terminal.say(
                f"[{done + 1}/{len(todo)}] {shape}, repeat {repeat + 1} of {section.repeats}"
                + (f", about {duration(left_s)} left" if left_s is not None else "")
            )
            config = self._run_config(shape, repeat)
            measurement, run_dir = measurer.measure(config, repeat, section.coupling, section.peak)
            self._measurements.append(measurement)
            baselines = (m for m in self._measurements if m.repeat == repeat)
            record.add(run_dir, scaling_metrics(measurement, next(baselines)))
            self._write()
            if section.timeline and shape.ranks > 1:
                self._terminal.say(f"timeline: {run_dir / TIMELINE}")

    def _run_config(self, shape: Shape, repeat: int) -> Config:
        return run_config(self._section, self._config, self._plan, shape, repeat, self._folder)

    def _write(self) -> None:
        about: dict[str, Any] = {
            "command": self._command,
            "started": self._started.isoformat(timespec="seconds"),
            "provenance": self._facts,
            "machine": dataclasses.asdict(self._machine),
            "warnings": self._warnings,
            "throughput": dataclasses.asdict(self._section),
            "threads_per_rank": self._plan.threads_per_rank,
            "micro_batch_size": self._plan.micro_batch,
            "config": redacted(dataclasses.asdict(self._config)),
        }
        values = document(self._measurements, self._plan.curves, about)
        run_files.write_json(self._folder / RESULTS, values)

    def _print(self) -> None:
        results = Results(self._measurements)
        for curve in self._plan.curves:
            self._terminal.table(curve_title(curve), CURVE_COLUMNS, curve_rows(curve, results))
        title = "one step: mean over ranks, median of repeats"
        self._terminal.table(title, PHASE_COLUMNS, phase_rows(self._plan.shapes, results))
