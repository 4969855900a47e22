"""No command of analysis writes over, into or through what it did not make."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from analysis import predict
from analysis.figures import registry
from analysis.figures.__main__ import main
from analysis.figures.style import Drawing
from analysis.pictures import __main__
from analysis.results import __main__ as results
from analysis.results import notebooks
from experiments.data.cache import write_volumes
from ffn_core.files.output_list import LIST

FOVS = 4000


@pytest.fixture(scope="module")
def study(make_runs):
    """Runs that reach F1 0.8 and scale over real nodes, so that all commands have an answer."""
    points = []
    for nodes, seed in ((1, 1), (8, 1), (64, 1), (1, 2), (8, 2)):
        at = np.linspace(0, FOVS * (1 + nodes / 64), 21)[1:]
        metrics = {
            "validation/f1": [(round(f), f / at[-1]) for f in at],
            "time/elapsed_s": [(round(f), f / 10) for f in at],
            "optimizer_step": [(round(f), f / nodes) for f in at],
            "throughput/fovs_per_second": [(round(f), 10.0 * nodes) for f in at],
        }
        columns = {"nodes": nodes, "seed": seed, "experiment": "batch_size"}
        points.append((columns, metrics))
    return make_runs(*points)


@pytest.fixture
def world(tmp_path, monkeypatch, study) -> Path:
    """A folder with inputs of every command in it, which is where commands are started."""
    monkeypatch.chdir(tmp_path)
    study.to_parquet(tmp_path / "recorded" / "batch_size")
    ids = np.zeros((8, 8, 8), np.uint32)
    ids[2:6, 2:6, 2:6] = 1
    write_volumes("v.h5", {"image": ids.astype(np.uint8), "ids": ids})
    return tmp_path


@dataclasses.dataclass(frozen=True)
class Command:
    """A command, its arguments but ``--overwrite``, what it writes and a folder or file it reads.

    ``out`` gives the arguments that name its outputs, in a folder.
    """

    main: Callable[[list[str]], int]
    arguments: list[str]
    writes: list[str]
    reads: str
    out: Callable[[str], list[str]] = lambda folder: ["--out", folder]

    def run(self, *options: str, folder: str = "o") -> int:
        return self.main([*self.arguments, *self.out(folder), *options])


def results_in(folder: str) -> list[str]:
    options = {"page": "RESULTS.md", "figures": "pictures", "verdicts": "verdicts.csv"}
    return [part for name, path in options.items() for part in (f"--{name}", f"{folder}/{path}")]


RECORDED = ["--recorded", "recorded"]
QUESTION = ["--f1", "0.8", "--hours", "1", "--throughput", "published"]
STUDY = "recorded/batch_size"
COMMANDS = {
    "figures": Command(
        main, RECORDED, ["o/summary.csv", "o/captions.md", "o/throughput.svg"], STUDY
    ),
    "predict": Command(
        predict.main, [*RECORDED, *QUESTION], ["o/prediction.csv", "o/models.png"], STUDY
    ),
    "pictures": Command(
        __main__.main, ["v.h5:ids", "--image", "v.h5:image"], ["o/section.png"], "v.h5"
    ),
    "results": Command(
        results.main,
        ["--store", "recorded"],
        ["o/RESULTS.md", "o/verdicts.csv", "o/pictures/prediction.png"],
        STUDY,
        results_in,
    ),
    "notebooks": Command(notebooks.main, ["--store", "recorded"], ["o/scaling.ipynb"], STUDY),
}


@pytest.fixture(params=COMMANDS)
def command(request, world, monkeypatch) -> Command:
    monkeypatch.setenv("FFN_SCALING_STORE", "recorded")  # which notebooks would set for good
    # What is drawn does not matter here, and takes its time.
    empty = Drawing(Figure(figsize=(1, 1)), "nothing")
    two = {"throughput": lambda _: empty, "noise_scale": registry.FIGURES["noise_scale"]}
    monkeypatch.setattr(registry, "FIGURES", two)
    monkeypatch.setattr("analysis.prediction.figure.prediction", lambda *_: empty)
    monkeypatch.setattr("analysis.figures.scaling_models.fitted_models", lambda *_: empty)
    monkeypatch.setattr(results, "page", lambda *_: ("a page", {"prediction.png": b"a picture"}))
    return COMMANDS[request.param]


PLANTS: dict[str, Callable[[Path], object]] = {
    "file": lambda path: path.write_bytes(b"mine"),
    "folder": lambda path: (path.mkdir(), (path / "notes").write_bytes(b"mine")),
    "link to an input": lambda path: path.symlink_to(Path("v.h5").absolute()),
    "hard link to an input": lambda path: path.hardlink_to("v.h5"),
    "link to nothing": lambda path: path.symlink_to("nothing"),
}


@pytest.mark.parametrize("options", [[], ["--overwrite"]])
@pytest.mark.parametrize("plant", PLANTS)
def test_what_is_in_the_way_stays(command, plant, options, refused):
    for name in command.writes:
        path = Path(name)
        path.parent.mkdir(exist_ok=True, parents=True)
        PLANTS[plant](path)
        assert name in refused(lambda: command.run(*options))
        path.rename(f"moved-{path.name}")


@pytest.mark.parametrize("options", [[], ["--overwrite"]])
def test_inputs_stay(command, options, refused):
    Path("same").symlink_to(".")
    for folder in (command.reads, f"same/{command.reads}", f"{command.reads}/below"):
        line = refused(lambda folder=folder: command.run(*options, folder=folder))
        assert "lies in the input" in line or "not a folder" in line or "is a file" in line


def test_own_outputs_are_replaced_on_request_and_files_beside_stay(
    command, world, refused, everything, capsys
):
    if command.main is notebooks.main:
        return  # tests/analysis/test_notebooks.py has a kernel for it
    for folder in ("o", "o/pictures"):
        Path(folder).mkdir()
        Path(folder, "mine.png").write_bytes(b"mine")
    mine = everything(world)
    assert command.run() == 0
    made = set(everything(world)) - set(mine)
    assert made >= {*command.writes, f"o/{LIST}"}
    assert "--overwrite" in refused(command.run)
    Path(command.writes[0]).write_bytes(b"edited")
    assert "not as analysis" in refused(lambda: command.run("--overwrite"))
    Path(command.writes[0]).unlink()
    capsys.readouterr()
    assert command.run("--overwrite") == 0
    said = capsys.readouterr().out
    assert all(Path(name).name in said for name in command.writes[1:])
    now = everything(world)
    assert {name: now[name] for name in mine} == mine
    assert set(now) - set(mine) == made, "and no temporary files"
