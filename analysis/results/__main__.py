"""Writes the results page: `python -m analysis.results [--store STORE] [--page FILE]`.

Without options it reads the recorded studies and writes RESULTS.md at the top of the repository,
its figures and `verdicts.csv` beside the recorded studies.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis.claims.judge import verdict_table
from analysis.results.findings import open_report
from analysis.results.page import page
from analysis.runs.sources import RECORDED
from ffn_core.errors import InputError
from ffn_core.files import REPOSITORY


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis.results", description=__doc__)
    parser.add_argument(
        "--store",
        help="MLflow tracking URI or folder of recorded studies; default: FFN_SCALING_STORE or "
        "the recorded ones",
    )
    parser.add_argument("--page", type=Path, default=REPOSITORY / "RESULTS.md")
    parser.add_argument("--figures", type=Path, default=RECORDED / "figures")
    parser.add_argument("--verdicts", type=Path, default=RECORDED / "verdicts.csv")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    arguments = _arguments(argv)
    try:
        report = open_report(arguments.store)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    folder = arguments.figures
    text, pictures = page(report, Path(os.path.relpath(folder, arguments.page.parent)).as_posix())
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.png"):
        if stale.name not in pictures:
            stale.unlink()
    for name, picture in pictures.items():
        (folder / name).write_bytes(picture)
    arguments.page.write_text(text)
    table = verdict_table(list(report.verdicts.values()))
    table.to_csv(arguments.verdicts, index=False, float_format="%.6g")
    counts = ", ".join(f"{n} {verdict}" for verdict, n in table["verdict"].value_counts().items())
    print(f"{arguments.page}: {len(pictures)} figures, {len(table)} claims: {counts}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
