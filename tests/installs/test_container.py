"""What the Containerfile copies is what its ignore file lets in."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
IGNORED = (ROOT / ".dockerignore").read_text().splitlines()
LET_IN = {line.removeprefix("!") for line in IGNORED if line.startswith("!")}


def test_an_image_gets_the_packages_and_nothing_else_of_a_checkout():
    """No environment, store, data or credential: what is not named stays outside."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    assert packages | {"LICENSE", "README.md", "pyproject.toml", "uv.lock"} == LET_IN
    assert "*" in IGNORED, "nothing else"


def test_every_file_that_a_step_copies_is_let_in():
    steps = (ROOT / "Containerfile").read_text().splitlines()
    copied = {name for step in steps if step.startswith("COPY") for name in step.split()[1:-1]}
    assert copied - {"."} <= LET_IN
    assert "." in copied
