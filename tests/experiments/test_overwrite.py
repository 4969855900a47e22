"""No command of experiments writes over, into or through what it did not make."""

import dataclasses
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import h5py
import numpy as np
import pytest

from experiments import export_neuroglancer, soak, tune
from experiments.benchmarks import __main__ as benchmarks
from experiments.data import __main__
from experiments.data.cache import write_volumes
from experiments.reporting import run_files
from experiments.segment import segmentation_files
from experiments.segment.config import ResolvedRegion, ResolvedSegment
from experiments.throughput import __main__ as throughput
from experiments.throughput import measurement, tuning
from ffn_core.files.output_list import LIST
from ffn_core.sampling.coordinates import Coordinates
from ffn_core.sampling.google_ffn import write_published_coordinates
from ffn_core.synthetic.neurites import synthesize

SHAPE = (16, 24, 24)


@pytest.fixture(scope="module")
def volumes() -> dict[str, np.ndarray]:
    image, labels = synthesize(SHAPE, 0)
    return {"image": image, "labels": labels}


@pytest.fixture(scope="module")
def coordinates(tmp_path_factory) -> dict[str, bytes]:
    """A coordinate file of ours and one of google/ffn, by name."""
    folder = tmp_path_factory.mktemp("coordinates")
    members = tuple(np.arange(200 * k, 200 * k + 9) for k in range(3))
    ours = Coordinates(members, SHAPE, (1, 1, 1), (0.3, 0.6), 10, "v.h5:labels")
    ours.save(folder / "c.h5")
    write_published_coordinates(folder / "c.gz", ours, "em", np.random.default_rng(0))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def world(tmp_path, monkeypatch, volumes, coordinates) -> Path:
    """A folder with inputs of every command in it, which is where commands are started."""
    monkeypatch.chdir(tmp_path)
    write_volumes("v.h5", volumes)
    for name, content in coordinates.items():
        Path(name).write_bytes(content)
    write_volumes("seg/segmentation.h5", {"segmentation": volumes["labels"]})
    config = ResolvedSegment(
        checkpoint="/nowhere",
        image=f"{tmp_path}/v.h5:image",
        mean=0.0,
        stddev=1.0,
        fov_zyx=[5, 5, 5],
        deltas_zyx=[1, 1, 1],
        region=ResolvedRegion(start_zyx=[0, 0, 0], size_zyx=list(SHAPE)),
    )
    segmentation_files.write_config(Path("seg"), config)
    run_files.write_json(Path("seg") / run_files.RESULT, {})
    return tmp_path


@dataclasses.dataclass(frozen=True)
class Command:
    """A command, what it writes to, and what it reads.

    Attributes:
        main: its entry point.
        arguments: all but ``--out``.
        out: what ``--out`` is given, relative to the folder it is started in.
        writes: its outputs.
        reads: an input that is a file, if it has any.
    """

    main: Callable[[list[str]], int]
    arguments: list[str]
    out: str
    writes: list[str]
    reads: str = ""

    def run(self, *options: str, out: str | None = None) -> int:
        return self.main([*self.arguments, "--out", out or self.out, *options])


PREPARE = ["prepare", "--labels", "v.h5:labels", "--lom-radius", "1", "--min-size", "10"]
IMPORT = ["import-coordinates", "--records", "c.gz", "--labels", "v.h5:labels"]
EXPORT = ["export-coordinates", "--coordinates", "c.h5", "--name", "em"]
COMMANDS = {
    "synthesize": Command(
        __main__.main, ["synthesize", "--shape", "8"], "o/a.h5", ["o/a.h5", "o/a_preview.png"]
    ),
    "downsample": Command(
        __main__.main, ["downsample", "--image", "v.h5:image"], "o/a.h5", ["o/a.h5"], "v.h5"
    ),
    "prepare": Command(__main__.main, PREPARE, "o/a.h5", ["o/a.h5"], "v.h5"),
    "import-coordinates": Command(__main__.main, IMPORT, "o/a.h5", ["o/a.h5"], "c.gz"),
    "export-coordinates": Command(__main__.main, EXPORT, "o/a.gz", ["o/a.gz"], "c.h5"),
    "export_neuroglancer": Command(
        export_neuroglancer.main, ["seg"], "o", ["o/image", "o/segmentation"], "v.h5"
    ),
}


@pytest.fixture(params=COMMANDS)
def command(request, world) -> Command:
    return COMMANDS[request.param]


PLANTS: dict[str, Callable[[Path], object]] = {
    "file": lambda path: path.write_bytes(b"mine"),
    "folder": lambda path: (path.mkdir(), (path / "tiles.dat").write_bytes(b"mine")),
    "link to an input": lambda path: path.symlink_to("../v.h5"),
    "hard link to an input": lambda path: path.hardlink_to("v.h5"),
    "link to nothing": lambda path: path.symlink_to("nothing"),
}


@pytest.mark.parametrize("options", [[], ["--overwrite"]])
@pytest.mark.parametrize("plant", PLANTS)
def test_what_is_in_the_way_stays(command, plant, options, refused):
    for name in command.writes:
        path = Path(name)
        path.parent.mkdir(exist_ok=True)
        PLANTS[plant](path)
        assert name in refused(lambda: command.run(*options))
        Path(name).rename(f"moved-{path.name}")


@pytest.mark.parametrize("options", [[], ["--overwrite"]])
@pytest.mark.parametrize("name", [name for name, one in COMMANDS.items() if one.reads])
def test_inputs_stay(name, world, options, refused):
    command = COMMANDS[name]
    path = Path(command.reads)
    Path("same").symlink_to(".")
    one_file = len(command.writes) == 1
    for out in (path, path.absolute(), Path("same") / path, path / "below"):
        refused(lambda out=out: command.run(*options, out=str(out)))
    if one_file:
        line = refused(lambda: command.run(*options, out="."))
        assert "holds the input" in line


def test_own_outputs_are_replaced_on_request_and_files_beside_stay(
    command, world, refused, everything, capsys
):
    Path("o").mkdir()
    Path("o/notes").write_bytes(b"mine")
    mine = everything(world)
    assert command.run() == 0
    assert "--overwrite" in refused(command.run)
    capsys.readouterr()
    assert command.run("--overwrite") == 0
    said = capsys.readouterr()
    for name in command.writes:
        assert Path(name).name in (said.out + said.err).split("replacing in")[1].splitlines()[0]
    now = everything(world)
    assert {name: now[name] for name in mine} == mine
    tops = {name for name in now.keys() - mine.keys() if name.count("/") == 1}
    assert tops == {*command.writes, f"o/{LIST}"}


def test_a_changed_output_is_no_longer_ours(command, refused):
    assert command.run() == 0
    for name in command.writes:
        path = Path(name)
        changed = path if path.is_file() else path / "info"
        content = changed.read_bytes()
        changed.write_bytes(content + b" ")
        assert name in refused(lambda: command.run("--overwrite"))
        changed.write_bytes(content)
    assert command.run("--overwrite") == 0


def test_nothing_is_written_into_a_chunked_input(world, volumes, refused):
    """A Zarr folder is an input with everything in it."""
    (world / "em.zarr").mkdir()
    (world / "em.zarr" / ".zarray").write_bytes(b"mine")
    for name in ("em.zarr", "em.zarr/half.h5", "em.zarr/0/half.h5"):
        arguments = ["prepare", "--labels", "zarr:em.zarr", "--lom-radius", "1", "--out", name]
        assert "the input" in refused(lambda arguments=arguments: __main__.main(arguments))


def test_the_source_is_not_exported_over(world, volumes, refused, tmp_path):
    """The image lies where its export would: as a volume that this command exported itself."""
    assert export_neuroglancer.main(["seg", "--out", "o"]) == 0
    config = segmentation_files.load_config(Path("seg"))
    config = dataclasses.replace(config, image=f"precomputed:{tmp_path}/o/image")
    segmentation_files.write_config(Path("seg"), config)
    for options in ([], ["--overwrite"]):
        line = refused(
            lambda options=options: export_neuroglancer.main(["seg", "--out", "o", *options])
        )
        assert "o/image is the input" in line


def test_a_failing_command_leaves_its_earlier_output(world, monkeypatch, everything):
    arguments = ["downsample", "--image", "v.h5:image", "--out", "half.h5"]
    assert __main__.main(arguments) == 0
    with h5py.File("half.h5") as file:
        assert file["image"].shape == (8, 12, 12)

    def full(path, *_):
        Path(path).write_bytes(b"half a file")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("experiments.data.downsample.write_volumes", full)
    before = everything(world)
    assert __main__.main([*arguments, "--overwrite"]) == 2
    assert everything(world) == before


@pytest.mark.parametrize("plant", ["file", "folder", "link to nothing"])
@pytest.mark.parametrize("name", ["benchmark.json", "benchmark.md"])
def test_benchmarks_stay(world, monkeypatch, refused, plant, name):
    monkeypatch.setattr(benchmarks, "PARTS", {"gemm": lambda _: pytest.fail("nothing is measured")})
    Path("o").mkdir()
    PLANTS[plant](Path("o", name))
    for options in ([], ["--overwrite"]):
        refused(lambda options=options: benchmarks.main(["--out", "o", *options]))


def test_a_benchmark_is_replaced_on_request(world, monkeypatch, refused):
    monkeypatch.setattr(benchmarks, "PARTS", {"one": lambda _: [], "two": lambda _: []})
    assert benchmarks.main(["--out", "o"]) == 0
    assert "--overwrite" in refused(lambda: benchmarks.main(["--out", "o"]))
    assert benchmarks.main(["--out", "o", "--overwrite"]) == 0


@pytest.mark.parametrize("plant", PLANTS)
def test_a_soak_takes_a_new_folder(world, plant, refused):
    PLANTS[plant](Path("o"))
    assert "o is there already" in refused(lambda: soak.main(["--out", "o", "--minutes", "0.01"]))


class Noon(datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz=None):
        return cls(2026, 1, 1, 12, tzinfo=tz)


@pytest.mark.parametrize(
    ("app", "module", "name"),
    [(tune, tuning, "tune"), (throughput, measurement, "throughput")],
)
def test_measurements_take_a_new_folder(app, module, name, world, monkeypatch, everything, capsys):
    monkeypatch.setattr(module, "datetime", Noon)
    monkeypatch.setattr("sys.argv", [name, "model=micro"])
    folder = world / "runs" / name / "20260101-120000"
    folder.mkdir(parents=True)
    (folder / f"{name}.json").write_bytes(b"mine")
    before = everything(world)
    assert app.main() == 2
    assert everything(world) == before
    assert f"{folder} is there already" in capsys.readouterr().err
