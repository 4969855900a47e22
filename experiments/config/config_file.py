"""The config of a run directory: what a rank starts from, without the secrets it does not need."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from experiments.config.parsing import flatten, from_dict
from experiments.config.schema import Config
from experiments.reporting.redaction import redacted
from experiments.reporting.run_files import CONFIG, RunDirectory
from ffn_core.errors import InputError

_PARENT_ONLY = ("launcher.", "batch.", "tracking.")


def write_config(run_dir: Path, config: Config, private: bool = False) -> None:
    """Write the config of ``run_dir``, whole or not at all.

    Secrets are masked, which ranks do not need: launcher and MLflow client are not theirs.

    Args:
        run_dir: where to.
        config: the run.
        private: keep secrets, in a file that only its owner may read.

    Raises:
        InputError: An option that ranks do need holds a secret.
    """
    values = dataclasses.asdict(config)
    masked = without_secrets(values, _PARENT_ONLY)
    RunDirectory(run_dir).write_config(values if private else masked, private)


def without_secrets(values: dict[str, Any], not_needed: tuple[str, ...]) -> dict[str, Any]:
    """Plain options with secrets masked, to be written where others can read.

    Args:
        values: of a config, nested.
        not_needed: prefixes of the options that no reader of the file needs.

    Raises:
        InputError: Another option holds a secret.
    """
    masked = redacted(values)
    before, after = flatten(values), flatten(masked)
    for name, value in before.items():
        # Compared as text: NaN differs from itself.
        if repr(value) != repr(after[name]) and not name.startswith(not_needed):
            raise InputError(
                f"{name} holds a secret ({after[name]}), which would be recorded with the run: use "
                "a volume that needs none in its name"
            )
    return masked


def load_config(run_dir: Path) -> Config:
    """The config of a run directory. One without a checksum (written by hand) is taken as it is.

    Raises:
        InputError: It cannot be read, is damaged, or holds options that do not fit.
    """
    values = RunDirectory(run_dir).config()
    try:
        return from_dict(Config, values)
    except InputError as error:
        raise InputError(f"{run_dir / CONFIG}: {error}") from None
