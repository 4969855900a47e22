"""Keeping an MLflow run equal to a run directory, through outages."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from experiments.reporting import run_files
from experiments.reporting.mlflow_store import Store, StoreError
from experiments.reporting.records import Record, parse
from experiments.reporting.redaction import redacted_text
from experiments.reporting.store_calls import PATIENCE_S, Call, calls_to, reason
from ffn_core import metric_names as names
from ffn_core.errors import InputError

LINK = run_files.LINK
_LATER = (run_files.SEGMENTATION_SCORES, run_files.SCALING)
"""Records that are made when the training is over."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunIdentity:
    """How a run presents itself in MLflow.

    Attributes:
        experiment: MLflow experiment.
        name: run name.
        params: flat parameters.
        tags: tags.
        parent: id of the sweep's run, if it is a point of one.
        earlier: of the run that this one began with: ``kind``, ``run_dir``, ``name`` and ``fovs``.
    """

    experiment: str
    name: str
    params: Mapping[str, Any]
    tags: Mapping[str, str]
    parent: str | None = None
    earlier: Mapping[str, Any] | None = None


def linked_run(run_dir: Path, uri: str) -> str | None:
    """Id of the MLflow run of ``run_dir`` in the store ``uri``, if one was made.

    Raises:
        InputError: The file that says so is damaged.
    """
    known = run_files.read_json(run_dir / LINK) or {}
    return known.get("run_id") if known.get("uri") == redacted_text(uri) else None


class MlflowSync:
    """Send what a run directory gains to MLflow.

    No failure of the store reaches the caller, nor damage of the files it is sent from: ``error``
    says it in one line.

    Identity and id of the MLflow run are kept in the directory, so that a resumed run, or an import
    later, completes the same one.
    """

    RETRY_S = 15.0

    def __init__(
        self, uri: str, run_dir: Path, identity: RunIdentity, patience_s: float = PATIENCE_S
    ) -> None:
        """Nothing is sent yet.

        Args:
            uri: of the store.
            run_dir: of the run.
            identity: how it presents itself there.
            patience_s: how long `finish` and `send` wait for a server that does not answer.
        """
        self._uri = uri
        self._calls = calls_to(uri)
        self._patience_s = patience_s
        self._under_way: Call[None] | None = None
        self._run_dir = run_dir
        self._identity = identity
        self._run_id: str | None = None
        self._offsets = dict.fromkeys((run_files.METRICS, *_LATER), 0)
        self._lines = dict.fromkeys(self._offsets, 0)
        self._pending: list[Record] = []
        self._retry_at = 0.0
        self._last_unix_s: float | None = None
        self._damage: str | None = None
        self.error: str | None = None
        run_files.RunDirectory(run_dir).write_identity(asdict(identity))

    def poll(self) -> list[Record]:
        """Read new records, send all not sent yet, return the new ones of the training."""
        fresh = self._take_up()
        self._look()
        if self._under_way is None and time.monotonic() >= self._retry_at:
            self._begin(self._send_pending)
        return fresh

    def finish(
        self,
        status: str,
        artifacts: Mapping[Path, str | None],
        tags: Mapping[str, str],
        note: str = "",
    ) -> bool:
        """Send the rest, artifacts and final status; False if something could not be sent.

        Args:
            status: FINISHED, FAILED or KILLED.
            artifacts: files and the artifact folder of each.
            tags: added to the run.
            note: what the run's page says of it, in Markdown, beside which run it began with.
        """
        self._take_up()

        def send(store: Store) -> None:
            run_id = self._run_in(store)
            if tags:
                store.set_tags(run_id, tags)
            self._send_all(store, artifacts)
            if note:
                earlier = self._earlier_run(store).get(names.NOTE)
                store.describe_run(run_id, "\n\n".join(filter(None, (earlier, note))))
            store.set_status(run_id, status, self._last_unix_s)

        return self._complete(send)

    def send(self, artifacts: Mapping[Path, str | None]) -> bool:
        """Send what is new, and artifacts as in `finish`, whether or not the run has ended."""
        self._take_up()
        return self._complete(lambda store: self._send_all(store, artifacts))

    def restart(self) -> None:
        """Show a run that is taken up again as running."""
        self._begin(lambda store: store.set_status(self._run_in(store), "RUNNING"))

    def _send_all(self, store: Store, artifacts: Mapping[Path, str | None]) -> None:
        self._send_pending(store)
        run_id = self._run_in(store)
        for path, folder in artifacts.items():
            store.log_artifact(run_id, path, folder)
            self._calls.heard()

    def _take_up(self) -> list[Record]:
        """Read what is new in the run directory; returns the records of the training."""
        fresh = self._read_new(run_files.METRICS)
        if fresh:
            self._last_unix_s = fresh[-1].unix_s
        self._pending += fresh
        for name in _LATER:
            self._pending += self._read_new(name)
        return fresh

    def _read_new(self, name: str) -> list[Record]:
        path = self._run_dir / name
        if not path.is_file():
            return []
        with path.open("rb") as file:
            file.seek(self._offsets[name])
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        before = self._lines[name]
        self._offsets[name] += len(whole)
        self._lines[name] += whole.count(b"\n")
        try:
            return parse(whole, path, before)
        except InputError as error:
            self._damage = str(error)
            return []

    def _send_pending(self, store: Store) -> None:
        run_id = self._run_in(store)
        if batch := list(self._pending):  # more may come meanwhile
            store.log_records(run_id, batch)
            del self._pending[: len(batch)]
            self._calls.heard()

    def _run_in(self, store: Store) -> str:
        """Id of the run in the store, created on first use."""
        if self._run_id is None:
            self._run_id = self._find_or_start(store)
        return self._run_id

    def _find_or_start(self, store: Store) -> str:
        run_id = linked_run(self._run_dir, self._uri)
        if run_id is None or not store.has_run(run_id):
            me = self._identity
            parent = me.parent if me.parent and store.has_run(me.parent) else None
            note = self._earlier_run(store)
            run_id = store.start_run(me.experiment, me.name, {**me.tags, **note}, parent)
            link = {"uri": redacted_text(self._uri), "run_id": run_id}
            run_files.write_json(self._run_dir / LINK, link)
        else:
            store.set_tags(run_id, self._identity.tags)
        store.log_params(run_id, self._identity.params)
        return run_id

    def _earlier_run(self, store: Store) -> dict[str, str]:
        """Tags that lead to the run that this one began with; by name where the store has it not.

        ``ffn_scaling.continued_from`` for another run that is continued, ``ffn_scaling.extends``
        for the same one with a smaller budget.
        """
        earlier = self._identity.earlier
        if earlier is None:
            return {}
        run_id = linked_run(Path(earlier["run_dir"]), self._uri)
        path = store.run_page(run_id) if run_id is not None else None
        name = (
            f"[{earlier['name']}]({path})" if path else f"{earlier['name']}, {earlier['run_dir']}"
        )
        verb, tag = {
            "continued": ("Continues", names.CONTINUED_FROM),
            "extended": ("Extends the budget of", names.EXTENDS),
        }[earlier["kind"]]
        return {
            tag: run_id if path and run_id else earlier["name"],
            names.NOTE: f"{verb} {name}, from {earlier['fovs']:,} FOVs on.",
        }

    def _begin(self, action: Callable[[Store], None]) -> None:
        """Have something sent; what came of it is for `_look` to see."""
        self._under_way = self._calls.submit(action)
        self._look()

    def _complete(self, action: Callable[[Store], None]) -> bool:
        """Have something sent after all else, and wait for it; whether it was taken."""
        self._under_way = call = self._calls.submit(action)
        if not self._calls.wait(call, self._patience_s):
            self.error = str(self._calls.silent(self._patience_s))
            return False
        self._look()
        return self.error is None

    def _look(self) -> None:
        """Take notice of a call that is over.

        Raises:
            Exception: of another kind than a store's, which is a fault of the program.
        """
        if self._under_way is None or not self._under_way.over.is_set():
            return
        call, self._under_way = self._under_way, None
        try:
            call.result()
        except (InputError, *StoreError) as error:
            self.error = redacted_text(reason(error))
            self._retry_at = time.monotonic() + self.RETRY_S
            _log.debug("MLflow store %s: %s", redacted_text(self._uri), self.error)
        else:
            self.error = self._damage
