"""Download a public data set.

    python -m experiments.data fetch fib25 --out data/fib25
    python -m experiments.data fetch fib25 --source repository

An interrupted download continues where it stopped, and no file that is there is replaced.
"""

import argparse
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from experiments.data import fib25
from experiments.data.arguments import AddParser, progress_bar


def add(add_parser: AddParser) -> None:
    """Describe the command line."""
    text = "download a public data set; interrupted downloads continue where they stopped, and no"
    text += " file that is there is replaced"
    parser = add_parser("fetch", help=text, docstring=__doc__)
    parser.add_argument("name", choices=["fib25"], help="data set")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("data/fib25"),
        metavar="FOLDER",
        help="(default: %(default)s)",
    )
    parser.add_argument(
        "--source",
        choices=["bucket", "repository"],
        default="bucket",
        help="bucket: google/ffn's ffn-flyem-fib25, two files of 14 MB (default);"
        " repository: janelia-flyem/neuroproof_examples, 251 files",
    )
    parser.add_argument("--url-base", metavar="URL", help="another address of the source")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> None:
    """Carry the command out."""
    if arguments.source == "bucket":
        folder = _from_bucket(arguments.out, arguments.url_base or fib25.BUCKET_URL)
    else:
        with progress_bar("sections") as on_progress:
            folder = fib25.fetch_from_repository(
                arguments.out,
                arguments.url_base or fib25.REPOSITORY_URL,
                on_progress=on_progress,
            )
    console.print(f"{folder}/grayscale_maps.h5:raw\n{folder}/groundtruth.h5:stack", soft_wrap=True)
    console.print(f"for data=fib25: export FIB25_DIR={folder.absolute()}", soft_wrap=True)


def _from_bucket(out: Path, url_base: str) -> Path:
    stderr = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(
        *columns, console=stderr, transient=True, disable=not stderr.is_terminal
    ) as progress:
        task = progress.add_task("download", total=None)
        return fib25.fetch_from_bucket(
            out,
            url_base,
            on_bytes=lambda here, total: progress.update(task, completed=here, total=total),
        )
