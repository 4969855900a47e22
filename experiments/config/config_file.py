"""``config.yaml`` of a run directory: what a rank starts from, with a checksum at its head.

A file cut short is often still valid YAML, and whatever is missing would silently become a default.
"""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import yaml

from experiments.config.parsing import flatten, from_dict
from experiments.config.schema import Config
from experiments.reporting import run_files
from experiments.reporting.redaction import redacted
from ffn_core.errors import InputError
from ffn_core.files import whole_file

_PARENT_ONLY = ("launcher.", "batch.", "tracking.")
_HEAD = "# sha256 of what follows: "


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
    text = yaml.safe_dump(values if private else masked, sort_keys=False)
    with whole_file(run_dir / run_files.CONFIG) as partial:
        partial.touch(mode=0o600 if private else 0o666)  # less what the umask takes
        partial.write_text(f"{_HEAD}{_digest(text)}\n{text}")


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
        if value != after[name] and not name.startswith(not_needed):
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
    path = run_dir / run_files.CONFIG
    advice = "repeat the training command, which writes it anew"
    try:
        head, _, text = path.read_text().partition("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}); {advice}") from None
    if not head.startswith(_HEAD):
        text = f"{head}\n{text}"
    elif head.removeprefix(_HEAD) != _digest(text):
        raise InputError(
            f"{path} is damaged or was edited (checksum differs); {advice}, or remove its first "
            "line if the change is meant"
        )
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{path} is damaged ({' '.join(str(error).split())}); {advice}") from None
    if not isinstance(values, dict):
        raise InputError(f"{path} is damaged (holds no options); {advice}")
    try:
        return from_dict(Config, values)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
