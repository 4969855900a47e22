"""Every command that README and docs show is run: as a dry run here, for real in `nox -s examples`.

A command that no rule below knows fails the suite, so that a new one must get a rule.
"""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass

import pytest

from ffn_core.files import REPOSITORY
from tests.run_commands import Command

LIMIT_S = 280.0
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]


@dataclass(frozen=True)
class Rule:
    """How a command is checked.

    Attributes:
        pattern: of the commands it is for; the first rule that matches counts.
        fast: arguments added in the suite; None where only the real command says something.
        slow: arguments added in `nox -s examples`; None where the fast way is all there is.
        why: reason, where it is not run at all.
    """

    pattern: str
    fast: tuple[str, ...] | None = None
    slow: tuple[str, ...] | None = None
    why: str = ""


DRY = ("sweep.dry_run=true",)
# Hydra takes a third of a second for each point of a sweep: a few stand for all.
FEW = (*DRY, "seed=1", "cluster.nodes=4")
ONE = (*FEW, "warmup=none", "learning_rate.rule=sqrt")
RECORDED = ("--recorded", "analysis/recorded", "--f1", "0.62", "--throughput", "published")
SPEED = ("--node-fovs-per-second", "45")
TINY = (
    "model=micro",
    "cluster.nodes=4",
    "budget.fovs=64",
    "validation.every_fovs=64",
    "validation.canvases=2",
    "checkpoint.every_fovs=64",
    "report.every_fovs=32",
)
LONGER = (*TINY, "budget.fovs=128")
ONE_POINT = (*TINY, "seed=1", "learning_rate.rule=sqrt", "warmup=none")
RATES = ("size.rate_1=1e-3", "size.rate_4=1e-3", "size.rate_16=1e-3", "size.rate_64=1e-3")
SEGMENT = ("flood.min_segment_size=10", "subvolume.size_zyx=null", "processes=1")

RULES = (
    Rule(r"^mlflow ui ", why="serves until it is stopped"),
    Rule(r"^sbatch ", why="needs Slurm"),
    Rule(r"sweep_status -m experiment=lr_rules$", why="waits for points; a test of its own"),
    Rule(r"sweep_status .*site=slurm", why="needs Slurm; `nox -s cluster` has one"),
    Rule(r"launcher\.hosts=n1", why="needs these hosts; `nox -s cluster` has two"),
    Rule(r"^(?:uv|pip|export|podman|apptainer|docker) |-m venv ", why="changes an environment"),
    Rule(r"^[\w./-]+ = |^HOROVOD_", why="a setting"),
    Rule(r"test_segment_memory", why="measures for many minutes"),
    Rule(r"^nox -s ", why="its session is looked up below"),
    Rule(r"device=gpu", why="needs a GPU"),
    Rule(r"--help$|--cfg job$", fast=()),
    Rule(r"data synthesize .*--labels-box", fast=(), slow=()),
    Rule(r"data plan", fast=("--untimed",), slow=()),
    Rule(r"data synthesize", fast=("--shape", "48"), slow=("--shape", "96")),
    Rule(r"data info", fast=(), slow=()),
    Rule(r"analysis\.predict .*--recorded", fast=()),
    Rule(r"analysis\.predict .*--out", slow=RECORDED),
    Rule(r"analysis\.predict ", fast=(*RECORDED, *SPEED, "--experiment", "data_cost")),
    Rule(r"train .*site=slurm", fast=FEW),
    Rule(r"train .*PATH/model\.ckpt", why="needs google/ffn's published checkpoint"),
    Rule(r"train .*finetune", slow=(*TINY, "data.min_object_voxels=100")),
    Rule(r"train .*(?:continue_from|model\.checkpoint)=runs", slow=LONGER),
    Rule(r"train .*growing_batch", fast=(*DRY, "seed=1", *RATES)),
    Rule(r"train .*stages=", fast=DRY),
    Rule(r"train .*data=files", slow=(*TINY, "data.min_object_voxels=100")),
    Rule(r"train .*experiment=demo budget\.fovs", fast=DRY, slow=LONGER),
    Rule(r"train -m experiment=lr_rules$", fast=ONE, slow=ONE_POINT),
    Rule(r"train -m experiment=lr_rules", fast=ONE),
    Rule(r"train -m ", fast=FEW),
    Rule(r"train ", fast=DRY, slow=TINY),
    Rule(r"experiments\.throughput$", slow=("throughput.steps=20", "throughput.repeats=1")),
    Rule(r"experiments\.throughput .*ranks=\[1,2,4\]", why="needs four GPUs"),
    Rule(r"experiments\.tune ", slow=("model=micro", "tune.repeats=1", "tune.block_s=0.1")),
    Rule(r"experiments\.segment .*image=zarr3", why="needs that volume; formats have own tests"),
    Rule(r"experiments\.segment(_checkpoints)? ", slow=SEGMENT),
    Rule(r"experiments\.export ", slow=()),
    Rule(r"export_neuroglancer ", slow=()),
    Rule(r"import_runs ", slow=()),
    Rule(r"analysis\.(?:figures|recorded|report) ", slow=()),
)


def commands_of(text: str) -> list[str]:
    """Commands of the ``bash`` blocks of a page, lines joined."""
    blocks = re.findall(r"^```bash\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    # A comment at the end of a line is not part of its command.
    words = [" ".join(re.sub(r"(^|\s)#(\s.*|)$", "", line).split()) for line in lines]
    return [line for line in words if line]


def all_commands() -> list[str]:
    """Those of all pages, each once, in an order in which they can be run."""
    found = dict.fromkeys(c for page in PAGES for c in commands_of(page.read_text()))
    return sorted(found, key=lambda command: "synthesize" not in command)


def rule_of(command: str) -> Rule | None:
    return next((rule for rule in RULES if re.search(rule.pattern, command)), None)


def arguments(command: str, added: tuple[str, ...]) -> list[str]:
    """A command as a list. A later argument replaces an earlier one of the same option."""
    # One item for each option, with its values: those of `--a 1 2` are words of their own.
    items: list[list[str]] = []
    for word in shlex.split(command) + list(added):
        if items and items[-1][0].startswith("--") and not word.startswith("-") and "=" not in word:
            items[-1].append(word)
        else:
            items.append([word])
    options = [item[0].partition("=")[0] for item in items]
    given = [len(item) > 1 or "=" in item[0] for item in items]
    return [
        word
        for i, item in enumerate(items)
        if not given[i] or options[i] not in options[i + 1 :]
        for word in item
    ]


def test_commands_are_read_from_pages():
    page = "a\n```bash\nnox -s a\npython -m b \\\n  c=1\n```\n```text\nno\n```\n"
    assert commands_of(page) == ["nox -s a", "python -m b c=1"]
    assert arguments("python -m b c=1 d=2", ("c=3",)) == ["python", "-m", "b", "d=2", "c=3"]
    assert arguments("python -m b --e 1 2 --f", ("--e", "4")) == [
        *("python", "-m", "b", "--f", "--e", "4")
    ]


@pytest.mark.parametrize("command", all_commands())
def test_every_command_has_a_rule(command):
    rule = rule_of(command)
    assert rule is not None, "add a rule that says how this command is checked"
    assert bool(rule.why) == (rule.fast is None and rule.slow is None)


def test_sessions_that_pages_name_exist():
    text = (REPOSITORY / "noxfile.py").read_text()
    sessions = set(re.findall(r"^def (\w+)\(session", text, re.MULTILINE))
    pages = "".join(page.read_text() for page in [*PAGES, REPOSITORY / "CONTRIBUTING.md"])
    named = set(re.findall(r"nox -s ([a-z]+)", pages))
    assert {"demo", "docs"} <= named
    assert named <= sessions


def test_commands_run_dry(tmp_path):
    (tmp_path / "analysis").symlink_to(REPOSITORY / "analysis")
    lists: dict[tuple[str, ...], list[str]] = {}
    for command in all_commands():
        rule = rule_of(command)
        if rule is not None and rule.fast is not None:
            words = arguments(command, rule.fast)
            lists.setdefault(tuple(sorted(words)), words)
    predicted = []
    for words in lists.values():
        command = Command(words, tmp_path, tmp_path / "printed")
        code = command.wait(LIMIT_S)
        command.kill()
        assert code == 0, " ".join(words) + command.output
        predicted += [command.output] if "--recorded" in words else []
    assert "Assumptions" in predicted[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where slow commands run, one after another, with the runs that pages call RUN."""
    path = tmp_path_factory.mktemp("examples")
    (path / "analysis").symlink_to(REPOSITORY / "analysis")
    made = (
        ("experiments.train", "experiment=demo", *TINY),
        ("experiments.train", *TINY),
        ("experiments.train", "experiment=checkpoints", *TINY),
        ("experiments.data", "synthesize", "--shape", "96", "--seed", "1", "--out", "other.h5"),
    )
    for words in made:
        assert run_in(path, ["python", "-m", *words]).returncode == 0
    return path


def run_in(folder, words):
    """Run a command in a folder, the names that pages leave open filled in."""
    text = "\0".join(words)
    for study in ("demo", "default", "checkpoints"):
        runs = sorted((folder / "runs" / study).glob("*/config.yaml"))
        text = text.replace(f"runs/{study}/RUN", str(runs[0].parent) if runs else "RUN")
    text = text.replace("checkpoint=PATH", f"checkpoint={first(folder, 'runs/demo/*')}")
    text = text.replace("segmentations/NAME", str(first(folder, "segmentations/*")))
    text = text.replace("$PWD", str(folder)).replace("\0--view", "")
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    words = [sys.executable, *text.split("\0")[1:]]
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)


def first(folder, pattern):
    return next(iter(sorted(folder.glob(pattern))), folder / "nothing")


SLOW = [c for c in all_commands() if (rule := rule_of(c)) and rule.slow is not None]
# Data first, then training, then what reads it.
READS = ("segment", "export", "analysis", "import")
SLOW.sort(key=lambda c: next((i for i, word in enumerate(READS) if word in c), -1))


@pytest.mark.examples
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("command", SLOW)
def test_command_runs(command, folder):
    rule = rule_of(command)
    done = run_in(folder, arguments(command, rule.slow))
    assert done.returncode == 0, done.stdout + done.stderr
