"""Who may import whom: packages, the rooms of `experiments/`, and the libraries behind adapters."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("ffn_core", "experiments", "analysis")

# Library -> the modules that may import it.
ADAPTERS = {
    "horovod": {"ffn_core/training/distributed.py", "experiments/launch/horovodrun.py"},
    "mlflow": {
        "experiments/reporting/mlflow_store.py",
        "analysis/runs/mlflow_reader.py",
        "analysis/runs/mlflow_tables.py",
    },
    "hydra": {"experiments/config/hydra_app.py", "experiments/config/hydra_messages.py"},
    "omegaconf": {
        "experiments/config/hydra_app.py",
        "experiments/config/hydra_messages.py",
        "experiments/train.py",
        "experiments/sweep_status.py",
    },
}

# The library works without the study around it, and drawing works without training.
FORBIDDEN = {
    "ffn_core": {"hydra", "omegaconf", "mlflow", "pandas", "matplotlib", "experiments", "analysis"},
    "analysis": {"tensorflow", "horovod", "hydra", "omegaconf", "experiments"},
}

# Rooms of experiments/, from the ground up: a room imports rooms of lower floors only. The
# commands beside them (experiments/NAME.py) import any room, and no room imports a command.
FLOORS = (
    {"reporting"},
    {"config"},
    {"data"},
    {"launch"},
    {"trainer", "sweep"},
    {"segment", "throughput"},
)
BESIDE = {"benchmarks": {"reporting", "config", "launch", "throughput"}}

MOST_MODULES = 13
"""In one folder, besides ``__init__.py``."""


def imported_modules(path: Path) -> set[str]:
    """Dotted names a module imports, inside functions too; ``from a import b`` gives ``a.b``."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imported(path: Path) -> set[str]:
    """Top-level names a module imports."""
    return {name.partition(".")[0] for name in imported_modules(path)}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def floor_of(room: str) -> int | None:
    return next((floor for floor, rooms in enumerate(FLOORS) if room in rooms), None)


def upward_imports(room: str, path: Path) -> list[str]:
    """Imports of a module of ``room`` that its floor does not allow."""
    upward = []
    for name in imported_modules(path):
        package, _, rest = name.partition(".")
        other = rest.partition(".")[0]
        if package != "experiments" or other in ("", room):
            continue
        if room in BESIDE:
            allowed = other in BESIDE[room]
        else:
            floor, own = floor_of(other), floor_of(room)
            allowed = floor is not None and own is not None and floor < own
        if not allowed:
            upward.append(name)
    return sorted(upward)


@pytest.mark.parametrize("library", ADAPTERS)
def test_only_adapters_import(library):
    found = {
        str(path.relative_to(ROOT))
        for package in (*PACKAGES, "docs")
        for path in modules(package)
        if library in imported(path)
    }
    assert found == ADAPTERS[library], (
        f"call {library} through one of its adapters: {', '.join(sorted(ADAPTERS[library]))}"
    )


@pytest.mark.parametrize("package", FORBIDDEN)
def test_packages_depend_in_one_direction(package):
    crossing = {
        str(path.relative_to(ROOT)): sorted(imported(path) & FORBIDDEN[package])
        for path in modules(package)
        if imported(path) & FORBIDDEN[package]
    }
    assert crossing == {}, (
        "move what is shared down into ffn_core, or pass the result in as an argument"
    )


def test_rooms_import_downward_only():
    rooms = {room for floor in FLOORS for room in floor} | set(BESIDE)
    upward = {
        str(path.relative_to(ROOT)): found
        for room in rooms
        for path in modules(f"experiments/{room}")
        if (found := upward_imports(room, path))
    }
    assert upward == {}, (
        "a room imports rooms below it only: reporting < config < data < launch < trainer, sweep < "
        "segment, throughput < commands. Move the shared part down, or pass it in as an argument"
    )


def test_every_room_has_a_floor():
    rooms = {path.parent.name for path in (ROOT / "experiments").glob("*/__init__.py")}
    assert rooms == {room for floor in FLOORS for room in floor} | set(BESIDE), (
        "give a new room of experiments/ its place in FLOORS"
    )


def test_folders_stay_small():
    counts = {
        str(folder.relative_to(ROOT)): len(
            [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        )
        for package in PACKAGES
        for folder in [ROOT / package, *(ROOT / package).rglob("*/")]
    }
    full = {folder: count for folder, count in counts.items() if count > MOST_MODULES}
    assert full == {}, "split off a room with an idea of its own, or join fragments of one idea"


def test_tests_follow_the_modules():
    """A folder of tests is named as the folder it tests."""
    folders = {
        path.parent.relative_to(ROOT / "tests")
        for package in PACKAGES
        for path in (ROOT / "tests" / package).rglob("test_*.py")
    }
    strange = sorted(str(folder) for folder in folders if not (ROOT / folder).is_dir())
    assert strange == [], "put a test into the folder with the name of what it tests"


def test_only_the_registry_of_figures_saves_pictures():
    saving = {
        str(path.relative_to(ROOT))
        for path in modules("analysis")
        if any(
            isinstance(node, ast.Attribute) and node.attr == "savefig"
            for node in ast.walk(ast.parse(path.read_text()))
        )
    }
    assert saving == {"analysis/figures/registry.py"}, (
        "return the figure and let analysis.figures.registry save it"
    )


def test_the_walk_sees_imports_inside_functions(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        "def f():\n    import mlflow.tracking\n    from hydra.core import config_store\n"
    )
    assert imported(path) == {"mlflow", "hydra"}


@pytest.mark.parametrize(
    ("room", "statement", "upward"),
    [
        ("config", "from experiments.segment.config import SegmentConfig", True),
        ("config", "from experiments.reporting import redaction", False),
        ("launch", "from experiments import train", True),
        ("trainer", "from experiments.sweep import point", True),
        ("benchmarks", "from experiments.launch.ranks import Ranks", False),
        ("benchmarks", "from experiments.trainer.trainer import Trainer", True),
    ],
)
def test_the_floors_tell_up_from_down(tmp_path, room, statement, upward):
    path = tmp_path / "module.py"
    path.write_text(statement)
    assert bool(upward_imports(room, path)) == upward


def test_no_test_is_left_out():
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    paths = [ROOT / path for path in options["testpaths"]]
    left = [
        path
        for path in (ROOT / "tests").rglob("test_*.py")
        if not any(path.is_relative_to(one) for one in paths)
    ]
    assert left == []
