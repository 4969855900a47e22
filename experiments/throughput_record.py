"""What a benchmark leaves in MLflow, and its figures. No failure of the store ends it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from experiments.reporting import run_files
from experiments.reporting.mlflow_store import Store, StoreError
from experiments.reporting.terminal import Screen
from experiments.sweep.outcome import import_run
from ffn_core.files import REPOSITORY


class BenchmarkRecord:
    """The MLflow run that the points of one benchmark are children of."""

    def __init__(self, uri: str, experiment: str, name: str, note: str, screen: Screen) -> None:
        """Open it; without an answer of the store ``run_id`` is empty.

        Args:
            uri: MLflow store.
            experiment: MLflow experiment.
            name: Name of the run.
            note: Shown with the run, Markdown.
            screen: Where to say what did not work.
        """
        self._uri = uri
        self._experiment = experiment
        self._screen = screen
        self.run_id = ""
        try:
            tags = {"ffn_scaling.kind": "sweep", "mlflow.note.content": note}
            self.run_id = Store(uri).start_run(experiment, name, tags)
        except StoreError as error:
            self._warn(error)

    def add(self, run_dir: Path, metrics: dict[str, float]) -> None:
        """Add a last record to a finished run: to its directory, then to MLflow."""
        path = run_dir / run_files.METRICS
        last = run_files.read_records(path)[-1]
        run_files.append(path, replace(last, metrics=metrics))
        if (problem := import_run(run_dir, self._uri)) is not None:
            self._screen.warn(f"MLflow store {self._uri}: {problem}; nothing is lost")

    def draw(self, out: Path) -> str:
        """Draw the figures of all benchmarks in the store; returns the command that does."""
        arguments = ["--out", str(out), "--experiment", self._experiment, "--store", self._uri]
        command = ["-m", "analysis.figures", *arguments]
        done = subprocess.run(
            [sys.executable, *command],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            self._screen.warn(f"no figures were drawn: {done.stderr.strip().splitlines()[-1]}")
        else:
            self._screen.say(f"figures: {out}")
        return " ".join(["python", *command])

    def close(self, status: str, artifacts: dict[Path, str | None]) -> None:
        """Set the final status, with files or folders and the artifact folder of each."""
        if not self.run_id:
            return
        try:
            store = Store(self._uri)
            for path, folder in artifacts.items():
                if path.exists():
                    store.log_artifact(self.run_id, path, folder)
            store.set_status(self.run_id, status)
        except StoreError as error:
            self._warn(error)

    def _warn(self, error: Exception) -> None:
        self._screen.warn(f"MLflow store {self._uri}: {str(error).splitlines()[0]}")
