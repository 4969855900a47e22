"""What the sources must not do, and what everything we print or document must."""

import ast
import os
import re
import stat
from pathlib import Path

import numpy as np
import pytest

from experiments.reporting import run_files
from ffn_core.files import whole_file
from ffn_core.training import checkpoint as checkpoints

ROOT = Path(__file__).parents[1]
PACKAGES = ("ffn_core", "experiments", "analysis")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

UNPICKLING = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
CALLS = {"eval", "exec", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load", "yaml.full_load"}
CALLS |= {"os.chmod", "os.umask", "np.load_pickle", "pd.read_pickle", "pandas.read_pickle"}
KEYWORDS = {("allow_pickle", True), ("shell", True)}


def violations(source: str) -> list[str]:
    """What of the above a module does."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.partition(".")[0] in UNPICKLING]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module] if node.module.partition(".")[0] in UNPICKLING else []
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            found += [name] if name in CALLS or name.endswith(".chmod") else []
            found += [
                f"{k.arg}={k.value.value}"
                for k in node.keywords
                if isinstance(k.value, ast.Constant) and (k.arg, k.value.value) in KEYWORDS
            ]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_unpickled_evaluated_or_given_to_a_shell(path):
    assert violations(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from cloudpickle import loads",
        "np.load(f, allow_pickle=True)",
        "subprocess.run(c, shell=True)",
        "yaml.load(text)",
        "eval(text)",
        "os.system('ls')",
        "path.chmod(0o777)",
    ],
)
def test_the_search_finds(source):
    assert violations(source)


def documents() -> list[Path]:
    here = [*ROOT.glob("*.md"), *ROOT.glob("*.py"), *ROOT.glob("conf/**/*.yaml"), *SOURCES]
    pages = [path for folder in ("analysis", "docs") for path in (ROOT / folder).rglob("*.md")]
    return [*here, *pages, *(ROOT / "analysis").rglob("*.ipynb")]


def test_the_mlflow_ui_is_only_ever_bound_to_this_machine():
    commands = [
        (path, line)
        for path in documents()
        for line in path.read_text().splitlines()
        if re.search(r"mlflow[\"', ]+(ui|server)[\"', ]+-", line)
    ]
    assert commands, "README at least shows how to start it"
    assert [(p, line) for p, line in commands if "--host 127.0.0.1" not in line] == []


@pytest.mark.parametrize("mask", [0o077, 0o022])
def test_files_get_the_permissions_the_umask_leaves(mask, tmp_path):
    before = os.umask(mask)
    try:
        run_files.write_json(tmp_path / "values.json", {})
        with whole_file(tmp_path / "whole") as partial:
            partial.write_text("")
        state = checkpoints.Checkpoint(1, {}, [np.zeros(2)], {})
        streams = checkpoints.NodeStreams(0, [[{}]], np.zeros((1, 1, 2, 2, 2), np.float32))
        checkpoints.save(tmp_path / "checkpoints", state, streams, 0, lambda item: [item], 1)
    finally:
        os.umask(before)
    for path in tmp_path.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & mask == 0, path
