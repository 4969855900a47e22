"""Try versions beyond the upper bounds of ``pyproject.toml`` and report what happens.

``python tests/installs/newer_versions.py [NAME ...]`` tries each bound by itself, on a copy of the
checkout, in an environment of its own: resolve, install (Horovod is compiled, minutes), run some
tests. A bound that its newer version passes can be raised; the reason beside it says what failed
before.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIMIT_S = 3600

TELLING = (r"fatal error|CMake Error|\S: error: ", "[Bb]ecause", "^FAILED |^ERROR ", "[Ee]rror:")
"""What a line that says why has in it: that of a compiler says more than that of what called it."""

IMPORTS = ["python", "-c", "import horovod.tensorflow as hvd; hvd.init(); print(hvd.size())"]
RANKS = ["pytest", "-q", "-x", "tests/integration/test_ranks.py"]
RECORDS = ["pytest", "-q", "-x", "tests/experiments/reporting", "tests/experiments/config"]


@dataclass(frozen=True)
class Trial:
    """A bound without its upper limit.

    Attributes:
        pattern: regular expression of what stands in ``pyproject.toml``.
        newer: what replaces it.
        options: of uv.
        checks: commands that must end well in the environment that results.
    """

    pattern: str
    newer: str
    checks: tuple[list[str], ...]
    options: tuple[str, ...] = ()


TRIALS = {
    "tensorflow": Trial(
        r"(tensorflow(?:-cpu|\[and-cuda\])?)==[\d.]+", r"\1>2.18.1", (IMPORTS, RANKS)
    ),
    "hydra": Trial(r"hydra-core>=[\d.]+,<1.4", "hydra-core>=1.4.0.dev0", (RECORDS,)),
    "mlflow": Trial(r"mlflow>=3.17,<3.18", "mlflow>=3.18", (RECORDS,)),
    "setuptools": Trial(r"setuptools<70", "setuptools>=70", (IMPORTS,)),
    "cmake": Trial(r"cmake<4", "cmake>=4", (IMPORTS,)),
    "python": Trial(r">=3.11,<3.13", ">=3.13,<3.14", (IMPORTS, RANKS), ("--python", "3.13")),
}


def without_bound(project: str, trial: Trial) -> str:
    """The text of ``pyproject.toml`` with the bound of a trial replaced.

    Raises:
        ValueError: The bound is not there any more.
    """
    changed, count = re.subn(trial.pattern, trial.newer, project)
    if not count:
        raise ValueError(f"pyproject.toml has nothing like {trial.pattern}")
    return changed


def attempt(trial: Trial, folder: Path) -> str:
    """One trial in an empty folder; what came of it, in one line."""
    checkout = folder / "checkout"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(checkout)], check=True)
    project = checkout / "pyproject.toml"
    project.write_text(without_bound(project.read_text(), trial))
    steps = [
        ("does not resolve", ["uv", "lock", *trial.options]),
        ("does not install", ["uv", "sync", "--quiet", *trial.options]),
        *(("fails", ["uv", "run", "--no-sync", *check]) for check in trial.checks),
    ]
    for verdict, command in steps:
        try:
            done = subprocess.run(
                command, cwd=checkout, capture_output=True, text=True, timeout=LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return f"{verdict}: {' '.join(command)} took more than {LIMIT_S} s"
        if done.returncode:
            return f"{verdict}: {reason(done.stdout + done.stderr)}"
    return f"works: {', '.join(' '.join(check[:4]) for check in trial.checks)}"


def reason(output: str) -> str:
    """The line of a failed command's output that says most."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for pattern in TELLING:
        for line, after in pairwise([*lines, ""]):
            if re.search(pattern, line):
                return (f"{line} {after}" if line.endswith(":") else line)[:300]
    return (lines or ["no output"])[0][:300]


def main() -> int:
    """Try what is asked for, and print a line for each; 0 however they end."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of: {', '.join(TRIALS)}")
    names = parser.parse_args().names or list(TRIALS)
    if unknown := [name for name in names if name not in TRIALS]:
        parser.error(f"unknown: {', '.join(unknown)}; choose from {', '.join(TRIALS)}")
    for name in names:
        with tempfile.TemporaryDirectory(prefix="newer-") as folder:
            print(f"{name}: {attempt(TRIALS[name], Path(folder))}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
