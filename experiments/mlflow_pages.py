"""Print where to look at studies in MLflow.

    python -m experiments.mlflow_pages
    python -m experiments.mlflow_pages --experiment lr_rules

Prints the command that opens the UI of a store, and the addresses of each study: its points as a
table, its charts, and its newest sweep with figures and report.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from experiments.reporting.mlflow_store import Store, StoreError
from experiments.reporting.mlflow_view import address_of, charts_page, run_page, table_page
from experiments.reporting.redaction import redacted_text
from experiments.reporting.store_calls import StoreCalls, reason
from experiments.reporting.terminal import Terminal
from ffn_core import metric_names as names
from ffn_core.command import command
from ffn_core.errors import InputError
from ffn_core.limits.arguments import CommandParser
from ffn_core.runtime import absolute_uri


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Print the addresses; returns the exit code."""
    parser = CommandParser("experiments.mlflow_pages", __doc__)
    parser.add_argument("--experiment", help="its name; default: every study with a point")
    parser.add_argument("--uri", help="MLflow store; default: MLFLOW_TRACKING_URI or ./mlflow.db")
    given = parser.parse_args(arguments)
    terminal = Terminal()

    def show() -> None:
        for line in pages(absolute_uri(given.uri), given.experiment):
            terminal.say(line)

    return terminal.exit_code_of(show)


def pages(uri: str, experiment: str | None = None) -> list[str]:
    """Lines with the addresses of one study of a store, or of all.

    Raises:
        InputError: there is no such store, it does not answer, or no such study with a point.
    """
    calls = StoreCalls(uri, create=False)

    def read(store: Store) -> dict[str, tuple[str, str | None]]:
        """Ids of each study and its newest sweep, by the name of the study."""
        found = {}
        for name, study in store.experiments().items():
            if experiment in (None, name) and store.newest_run(study, names.POINT):
                found[name] = study, store.newest_run(study, names.SWEEP)
            calls.heard()
        return found

    try:
        found = calls.call(read)
    except StoreError as error:
        said = redacted_text(reason(error))
        raise InputError(f"cannot read the MLflow store {redacted_text(uri)}: {said}") from None
    command, address = address_of(uri)
    lines = [f"open the UI: {command}"] if command else []
    for name, (study, sweep) in found.items():
        lines += [f"{name}:", f"  points: {address}{table_page(study)}"]
        lines.append(f"  charts: {address}{charts_page(study)}")
        if sweep:
            lines.append(f"  sweep:  {address}{run_page(study, sweep)}")
    if not found:
        wanted = f"experiment {experiment!r}" if experiment else "study"
        raise InputError(
            f"no {wanted} with a point in {redacted_text(uri)}: run one first, or name another "
            "store with --uri"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
