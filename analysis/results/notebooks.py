"""Run the notebooks.

    python -m analysis.results.notebooks --overwrite
    python -m analysis.results.notebooks --experiment demo_sweep
    python -m analysis.results.notebooks --store sqlite:////absolute/mlflow.db --out notebooks
    python -m analysis.results.notebooks own_data --overwrite

Each is kept as a script and, beside it, as an .ipynb with its figures; the script is what to edit.
With an experiment of yours, each answers its question from the runs of that one. Without names,
all run that read a store; `own_data`, a tutorial, trains a network and takes minutes.
Needs the dependency group `notebooks`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import jupytext  # type: ignore[import-untyped]
import nbformat
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode

from analysis.results.own_experiment import EXPERIMENT_VARIABLE, open_report, own_store
from analysis.results.sections import SECTIONS
from analysis.runs.sources import STORE_VARIABLE, default_store, files_of
from ffn_core.command import command
from ffn_core.errors import InputError, in_one_line
from ffn_core.files import REPOSITORY
from ffn_core.files.outputs import Outputs, add_overwrite, committed
from ffn_core.limits.arguments import CommandParser

NOTEBOOKS: Final = REPOSITORY / "analysis" / "notebooks"
_OF_EXPERIMENT: Final = Path("figures", "notebooks")
_TIMEOUT_S: Final = 900
"""For one cell; a tutorial trains in one."""


def scripts() -> list[Path]:
    """The notebooks of the results as scripts, sorted by name: those that read a store."""
    questions = {section.key for section in SECTIONS}
    return [path for path in every_script() if path.stem in questions]


def every_script() -> list[Path]:
    """All notebooks as scripts, tutorials too, sorted by name."""
    return sorted(NOTEBOOKS.glob("*.py"))


@contextmanager
def kernel() -> Iterator[KernelManager]:
    """One Python process for several notebooks, which all import the same."""
    with tempfile.TemporaryDirectory() as folder:  # for its sockets, else left where we are
        manager = KernelManager(kernel_name="python3", transport="ipc", ip=f"{folder}/kernel")
        manager.start_kernel()
        try:
            yield manager
        finally:
            manager.shutdown_kernel(now=True)


def execute(script: Path, manager: KernelManager) -> NotebookNode:
    """The notebook of a script with its outputs; names of an earlier one are forgotten.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    notebook = jupytext.read(script)
    for index, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{index}"  # the same notebook gives the same file
    client = NotebookClient(
        notebook, km=manager, timeout=_TIMEOUT_S, record_timing=False, store_widget_state=False
    )
    with client.setup_kernel(cleanup_kc=False):
        channels = client.kc
        assert channels is not None
        channels.execute("%reset -f", silent=True, store_history=False)
        count = 0
        for index, cell in enumerate(notebook.cells):
            count += cell.cell_type == "code"
            client.execute_cell(cell, index, execution_count=count)
    channels.stop_channels()
    notebook.metadata.pop("language_info", None)
    return notebook


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = CommandParser("analysis.results.notebooks", __doc__)
    names = [path.stem for path in every_script()]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--experiment", help=f"of yours; default: {EXPERIMENT_VARIABLE}, or none")
    parser.add_argument(
        "--store",
        help=f"MLflow tracking URI or folder; default: {STORE_VARIABLE}, with an experiment else "
        "MLFLOW_TRACKING_URI or mlflow.db, without one the recorded studies",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help=f"folder of the .ipynb files; default: {NOTEBOOKS.relative_to(REPOSITORY)}, with an "
        f"experiment {_OF_EXPERIMENT}",
    )
    add_overwrite(parser)
    return parser.parse_args(argv)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    arguments = _arguments(argv)
    if arguments.store:
        os.environ[STORE_VARIABLE] = arguments.store
    if arguments.experiment:
        os.environ[EXPERIMENT_VARIABLE] = arguments.experiment
    experiment = os.environ.get(EXPERIMENT_VARIABLE)
    out = arguments.out or (_OF_EXPERIMENT if experiment else NOTEBOOKS)
    try:
        if experiment:
            open_report()  # one line about a wrong name, in place of the traceback of a cell
        inputs = files_of(own_store() if experiment else default_store())
        outputs = Outputs(
            "analysis.results.notebooks", inputs, arguments.overwrite, restorable=committed
        )
        targets = {script: out / f"{script.stem}.ipynb" for script in _chosen(arguments.names)}
        outputs.check(list(targets.values()))
        _write(targets, outputs)
    except (InputError, OSError) as error:
        print(f"error: {in_one_line(error)}", file=sys.stderr)
        return 2
    return 0


def _chosen(names: Sequence[str]) -> list[Path]:
    """Scripts of these names, in their order; without names those of the results."""
    if not names:
        return scripts()
    known = {path.stem: path for path in every_script()}
    for name in names:
        if name not in known:
            raise InputError(f"no notebook {name!r}; there are: {', '.join(known)}")
    return [known[name] for name in names]


def _write(targets: dict[Path, Path], outputs: Outputs) -> None:
    with kernel() as manager:
        for script, path in targets.items():
            with outputs.place(path) as partial:
                nbformat.write(execute(script, manager), partial)
            print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    sys.exit(main())
