"""Write the results page.

    python -m analysis.results --overwrite
    python -m analysis.results --store sqlite:////absolute/mlflow.db --page results.md

Without options it reads the recorded studies and writes RESULTS.md at the top of the repository,
its figures and `verdicts.csv` beside the recorded studies, and what README, docs and the presets
quote of them. With `--overwrite` these are replaced
where this command wrote them, or git can bring them back.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from analysis.claims.judge import verdict_table
from analysis.results.findings import Findings, open_report
from analysis.results.page import Given, page
from analysis.results.quoted import page_quoting, preset_quoting
from analysis.runs.presets import CONF
from analysis.runs.sources import RECORDED, default_store, files_of
from analysis.verdicts.words import decided, opening
from ffn_core.command import command
from ffn_core.errors import InputError, in_one_line
from ffn_core.files import REPOSITORY, whole_file
from ffn_core.files.checked import read_json
from ffn_core.files.outputs import Outputs, add_overwrite, committed
from ffn_core.limits.arguments import CommandParser

PAGE: Final = REPOSITORY / "RESULTS.md"
GALLERY: Final = REPOSITORY / "analysis" / "gallery"
SEGMENTED: Final = RECORDED / "proofs" / "fib25_segmentation.json"
"""Segmentations of FIB-25 by the published network."""

README: Final = REPOSITORY / "README.md"
QUOTING: Final = (README, REPOSITORY / "docs" / "results.md")
"""Pages that quote the results."""


def quoted(findings: Findings) -> dict[Path, str]:
    """README, docs and presets with what they quote, of those in which it changes."""
    verdicts = findings.verdicts
    first = opening(verdicts)
    every = list(dict.fromkeys([*first, *decided(verdicts)]))
    written = {
        path: page_quoting(path.read_text(), verdicts, first if path == README else every)
        for path in QUOTING
    }
    for path in sorted((CONF / "experiment").glob("*.yaml")):
        written[path] = preset_quoting(path.read_text(), path.stem, verdicts)
    return {path: text for path, text in written.items() if text != path.read_text()}


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = CommandParser("analysis.results", __doc__)
    parser.add_argument(
        "--store",
        help="MLflow tracking URI or folder of recorded studies; default: FFN_SCALING_STORE or "
        "the recorded ones",
    )
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--figures", type=Path, default=RECORDED / "figures")
    parser.add_argument("--verdicts", type=Path, default=RECORDED / "verdicts.csv")
    add_overwrite(parser)
    return parser.parse_args(argv)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    arguments = _arguments(argv)
    try:
        return _write(arguments)
    except (InputError, OSError) as error:
        print(f"error: {in_one_line(error)}", file=sys.stderr)
        return 2


def _write(arguments: argparse.Namespace) -> int:
    inputs, folder = files_of(arguments.store or default_store()), arguments.figures
    outputs = Outputs("analysis.results", inputs, arguments.overwrite, restorable=committed)
    findings = open_report(arguments.store)
    outputs.check([arguments.page, arguments.verdicts])
    figures, gallery = (_link(arguments.page, place) for place in (folder, GALLERY))
    written = (_written(RECORDED / name) for name in ("plan.md", "first_edition.md"))
    text, pictures = page(findings, figures, Given(read_json(SEGMENTED), gallery, *written))
    outputs.check([folder / name for name in pictures])
    for stale in folder.glob("*.png"):
        if stale.name not in pictures:
            outputs.remove(stale)
    for name, picture in pictures.items():
        with outputs.place(folder / name) as path:
            path.write_bytes(picture)
    with outputs.place(arguments.page) as path:
        path.write_text(text)
    if arguments.page == PAGE:
        # Files of the repository, of which only what is quoted changes.
        for place, quoting in quoted(findings).items():
            with whole_file(place) as path:
                path.write_text(quoting)
    table = verdict_table(list(findings.verdicts.values()))
    with outputs.place(arguments.verdicts) as path:
        table.to_csv(path, index=False, float_format="%.6g")
    counts = ", ".join(f"{n} {verdict}" for verdict, n in table["verdict"].value_counts().items())
    print(f"{arguments.page}: {len(pictures)} figures, {len(table)} claims: {counts}")
    return 0


def _written(path: Path) -> str:
    """A part of the page that is written by hand, without the comment at its head."""
    return path.read_text().partition("-->")[2].strip()


def _link(page_file: Path, folder: Path) -> str:
    """How a page links to a folder."""
    return Path(os.path.relpath(folder, page_file.parent)).as_posix()


if __name__ == "__main__":
    sys.exit(main())
