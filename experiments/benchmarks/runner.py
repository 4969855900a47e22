"""What every part of the benchmark works with: a folder, how often, and starting programs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ffn_core.child_process import run
from ffn_core.errors import InputError


@dataclass(frozen=True)
class Bench:
    """Everything is written below one folder; nothing of it is needed afterwards.

    Attributes:
        folder: for runs, logs and stores.
        repeats: of every measurement.
        quick: the shortest runs that go through every part, for trying it out; the numbers mean
            little.
    """

    folder: Path
    repeats: int
    quick: bool

    def train(self, out: Path, *overrides: str) -> None:
        """Run ``experiments.train`` with run directories below ``out``."""
        store = f"sqlite:///{self.folder / 'mlflow.db'}"
        self.module("experiments.train", *overrides, f"runs_dir={out}", f"tracking.uri={store}")

    def module(
        self,
        module: str,
        *arguments: str,
        command: Sequence[str] = (sys.executable,),
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Run a module of the project to its end.

        Args:
            module: its name.
            arguments: after it.
            command: what starts Python.
            env: all variables of its environment; None for those of this process.

        Raises:
            InputError: It failed; the message names its log.
        """
        log = self.folder / f"{module}.log"
        done = run([*command, "-m", module, *arguments], log=log, environment=env)
        if done.returncode:
            raise InputError(f"python -m {module} failed with {done.returncode}; see {log}")
