"""Only the leaf adapters import Horovod, MLflow and Hydra; the library imports no front end."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("ffn_core", "experiments", "analysis")

# Top-level package -> modules of the project that may import it.
ALLOWED = {
    "horovod": {"ffn_core/training/distributed.py", "experiments/launch/horovodrun.py"},
    "mlflow": {"experiments/reporting/mlflow_store.py", "analysis/runs/mlflow_reader.py"},
    "hydra": set(),  # beside its adapters, `experiments/hydra_*.py`
    "omegaconf": {"experiments/train.py", "experiments/sweep_status.py"},
}
HYDRA_ADAPTERS = "experiments/hydra_"

# The library is usable without the study around it, and drawing without training.
FORBIDDEN = {
    "ffn_core": {"hydra", "omegaconf", "mlflow", "pandas", "matplotlib", "experiments", "analysis"},
    "analysis": {"tensorflow", "horovod", "hydra", "omegaconf", "experiments"},
}


def imported(path: Path) -> set[str]:
    """Top-level names a module imports, inside functions too."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return names


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("library", ALLOWED)
def test_only_adapters_import(library):
    found = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in modules(package)
        if library in imported(path)
    }
    if library in ("hydra", "omegaconf"):
        found = {name for name in found if not name.startswith(HYDRA_ADAPTERS)}
    assert found == ALLOWED[library]


@pytest.mark.parametrize("package", FORBIDDEN)
def test_packages_depend_in_one_direction(package):
    crossing = {
        str(path.relative_to(ROOT)): sorted(imported(path) & FORBIDDEN[package])
        for path in modules(package)
        if imported(path) & FORBIDDEN[package]
    }
    assert crossing == {}


def test_only_figures_saves_pictures():
    saving = {
        str(path.relative_to(ROOT))
        for path in modules("analysis")
        if any(
            isinstance(node, ast.Attribute) and node.attr == "savefig"
            for node in ast.walk(ast.parse(path.read_text()))
        )
    }
    assert saving == {"analysis/figures/registry.py"}


def test_the_walk_sees_imports_inside_functions(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        "def f():\n    import mlflow.tracking\n    from hydra.core import config_store\n"
    )
    assert imported(path) == {"mlflow", "hydra"}


def test_no_test_is_left_out():
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    paths = [ROOT / path for path in options["testpaths"]]
    left = [
        path
        for path in (ROOT / "tests").rglob("test_*.py")
        if not any(path.is_relative_to(one) for one in paths)
    ]
    assert left == []
