"""Keep studies of an MLflow store as small files.

    python -m analysis.recorded export
    python -m analysis.recorded export --experiment lr_rules --overwrite

Writes, for every study of an MLflow store, its runs and metric histories as Parquet with their
provenance. `analysis.runs.sources.load_studies` and the notebooks read them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis.runs.sources import RECORDED
from ffn_core.command import command
from ffn_core.errors import InputError, in_one_line
from ffn_core.files.outputs import add_overwrite
from ffn_core.limits.arguments import CommandParser
from ffn_core.runtime import default_tracking_uri


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = CommandParser("analysis.recorded", __doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    export = commands.add_parser(
        "export", help="write the studies of an MLflow store", docstring=__doc__
    )
    export.add_argument(
        "--uri",
        help="MLflow tracking URI; default: MLFLOW_TRACKING_URI or sqlite:///<cwd>/mlflow.db",
    )
    export.add_argument("--out", type=Path, default=RECORDED, help="folder of the studies' folders")
    export.add_argument("--experiment", help="one study; default: all")
    add_overwrite(export)
    export.add_argument("--size", default="small", help="file of conf/size the points come from")
    return parser.parse_args(argv)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    arguments = _arguments(argv)
    try:
        # Imported here: MLflow takes a second that --help need not wait for.
        from analysis.recorded.export import export

        uri = arguments.uri or default_tracking_uri()
        written = export(
            uri, arguments.out, arguments.experiment, arguments.size, arguments.overwrite
        )
    except (InputError, OSError) as error:
        print(f"error: {in_one_line(error)}", file=sys.stderr)
        return 2
    for name, facts in written.items():
        counts = ", ".join(f"{n} {what}" for what, n in facts["points"].items() if n is not None)  # type: ignore[attr-defined]
        print(f"{name}: {counts}")
    print(f"recorded: {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
