"""The MLflow run that the points of one sweep are children of."""

from __future__ import annotations

import hashlib
import shlex
from pathlib import Path

from experiments import records
from experiments.conclusion import Outcome
from experiments.recorder import Store, StoreError, absolute_uri
from experiments.schema import Config
from experiments.screen import Screen


class Sweep:
    """A multirun, recognised again by its command line."""

    def __init__(self, arguments: list[str], screen: Screen) -> None:
        """Nothing is created before the first point asks for its parent."""
        self._arguments = arguments
        self._screen = screen
        self._parent: str | None = None
        self._store: Store | None = None
        self.uri = ""

    @property
    def command(self) -> str:
        """What the user typed."""
        return shlex.join(["python", "-m", "experiments.train", *self._arguments])

    def parent_of(self, config: Config) -> str | None:
        """Id of the parent run of ``config``'s point; None while the store does not answer."""
        if self._parent is None:
            self.uri = absolute_uri(config.tracking.uri)
            try:
                self._store = Store(self.uri)
                self._parent = self._find_or_start(self._store, config)
            except StoreError as error:
                self._screen.warn(f"MLflow store {self.uri}: {str(error).splitlines()[0]}")
        return self._parent

    def _find_or_start(self, store: Store, config: Config) -> str:
        key = hashlib.sha256("\n".join(sorted(self._arguments)).encode()).hexdigest()[:8]
        folder = Path(config.runs_dir).absolute() / config.tracking.experiment
        link = folder / f"sweep-{key}.json"
        known = records.read_json(link) or {}
        run_id = str(known.get("run_id"))
        if known.get("uri") != self.uri or not store.has_run(run_id):
            tags = {"ffn_scaling.kind": "sweep", "mlflow.note.content": f"```\n{self.command}\n```"}
            run_id = store.start_run(config.tracking.experiment, f"sweep {key}", tags)
            folder.mkdir(parents=True, exist_ok=True)
            records.write_json(link, {"uri": self.uri, "run_id": run_id})
        else:
            store.set_status(run_id, "RUNNING")
        return run_id

    def close(self, outcomes: list[Outcome], interrupted: bool) -> None:
        """Print what became of the points and conclude the parent run."""
        if self._parent is None or self._store is None:
            return
        failed = [o for o in outcomes if o.outcome in ("failed", "input")]
        status = "KILLED" if interrupted else "FAILED" if failed else "FINISHED"
        try:
            self._store.set_status(self._parent, status)
        except StoreError as error:
            self._screen.warn(f"MLflow store {self.uri}: {str(error).splitlines()[0]}")
