"""What a run is called and where it lives: functions of its configuration.

``cluster.ranks`` counts as given: 0, which leaves it to the machine, is the same point of a study
on every machine. It was not always so: the number that fitted was put in its place before the name
was made. `run_directory` therefore also looks for directories with one of those names.
"""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

from experiments.config.parsing import flatten
from experiments.config.schema import Config
from experiments.reporting.run_files import RunDirectory
from ffn_core.files import digest, inside
from ffn_core.metric_names import LATER, RANKS_GIVEN, RUN_LOCAL


def identity(config: Config) -> str:
    """Eight hexadecimal digits that differ between runs that compute different things."""
    values = dataclasses.asdict(config)
    if config.continue_from:  # whichever way its folder was named
        values["continue_from"] = identity_of(Path(config.continue_from))
    for path in RUN_LOCAL:
        _remove(values, path.split("."))
    for path, unset in LATER.items():
        if flatten(values)[path] == unset:
            _remove(values, path.split("."))
    text = json.dumps(values, sort_keys=True)
    return digest(text)[:8]


def _remove(values: dict[str, Any], path: list[str]) -> None:
    """Remove an option, and a section that is empty without it."""
    key, *rest = path
    if rest:
        _remove(values[key], rest)
    if not rest or not values[key]:
        del values[key]


def point_name(config: Config) -> str:
    """Short name that says where in the study a run stands, e.g. ``n=64 sqrt warm adam s1``."""
    cluster, rate = config.cluster, config.learning_rate
    nodes = ",".join(str(stage.nodes) for stage in config.stages) or cluster.nodes
    words = [f"n={nodes}"]
    if cluster.local_batch_size > 1:
        words.append(f"b={cluster.local_batch_size}")
    if config.continue_from:
        words.append("continued")
    words.append("unscaled" if rate.rule == "none" else rate.rule)
    if rate.warmup.given:
        words.append("warm")
    if rate.cooldown.given:
        words.append("cool")
    if config.model.precision != "float32":
        words.append(config.model.precision)
    bases = [rate.base if stage.base is None else stage.base for stage in config.stages]
    rates = ",".join(f"{base:g}" for base in bases or [rate.base])
    words += [config.optimizer.name, f"lr={rates}", f"s{config.seed}"]
    return " ".join(words)


def experiment_folder(config: Config) -> Path:
    """Absolute folder of all runs of the experiment, below ``runs_dir`` whatever its name."""
    return inside(Path(config.runs_dir).absolute(), config.tracking.experiment)


def run_directory(config: Config) -> Path:
    """Absolute folder of the run: the same configuration always finds its own again.

    Where the number of ranks is left to the machine, that may be a folder begun when a number
    counted in its place: any number, as the training is the same. A finished one is preferred.
    """
    folder = _folder(config)
    if config.cluster.ranks or folder.exists():
        return folder
    older = [_folder(config.with_ranks(ranks)) for ranks in config.cluster.even_ranks]
    begun = [path for path in older if path.is_dir() and not _ranks_were_given(path)]
    finished = [path for path in begun if RunDirectory(path).finished]
    return next(iter(finished + begun), folder)


def identity_of(run_dir: Path) -> str:
    """The identity that the name of a run directory ends with."""
    return run_dir.name.rpartition("-")[2]


def _ranks_were_given(run_dir: Path) -> bool:
    """Whether a run was asked for by a number of ranks; False where no record says so."""
    tags = RunDirectory(run_dir).identity().get("tags", {})
    return bool(tags.get(RANKS_GIVEN) == "true")


def _folder(config: Config) -> Path:
    slug = re.sub(r"[^A-Za-z0-9.+-]+", "_", point_name(config).replace("=", ""))
    return experiment_folder(config) / f"{slug}-{identity(config)}"
