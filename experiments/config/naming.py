"""What a run is called and where it lives: functions of its configuration.

A run directory is named by `point_name`, which is the same in every sweep that the point is part
of; to people a point of a sweep is shown by what varies there, `sweep_names`.

``cluster.ranks`` counts as given: 0, which leaves it to the machine, is the same point of a study
on every machine. It was not always so: the number that fitted was put in its place before the name
was made. `run_directory` therefore also looks for directories with one of those names.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments.config.parsing import flatten
from experiments.config.schema import Config
from experiments.reporting.run_files import IDENTITY, RunDirectory
from ffn_core.files import digest, inside
from ffn_core.metric_names import LATER, LATER_OF_VOLUMES, RANKS_GIVEN, RUN_LOCAL


def identity(config: Config) -> str:
    """Eight hexadecimal digits that differ between runs that compute different things."""
    values = dataclasses.asdict(config)
    if config.continue_from:  # whichever way its folder was named
        values["continue_from"] = identity_of(Path(config.continue_from))
    for path in RUN_LOCAL:
        _remove(values, path.split("."))
    for volume in (*values["data"]["volumes"], *values["validation"]["volumes"]):
        for key, unset in LATER_OF_VOLUMES.items():
            if volume[key] == unset:
                del volume[key]
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
    return " ".join(filter(None, _words(config).values()))


def run_name(config: Config) -> str:
    """What a run is called where it is shown: the given name, else its `point_name`."""
    return config.tracking.name or point_name(config)


def sweep_names(configs: Sequence[Config], taken: Collection[str] = ()) -> list[str]:
    """Names of the points of a sweep by what varies among them, e.g. ``n=64 linear warm s2``.

    The number of nodes is always there. Points that would still be called alike are also named by
    the other options they differ in; names that are taken, or that no option sets apart, by the
    whole of `point_name` or at last by their identity. No two are alike.

    Args:
        configs: the points, all of them different.
        taken: names of other runs beside them.
    """
    words = [_words(config) for config in configs]
    varying = [key for key in words[0] if len({one[key] for one in words}) > 1] if words else []
    kept = [key for key in (words[0] if words else ()) if key in ("nodes", *varying)]
    found = [" ".join(filter(None, (one[key] for key in kept))) for one in words]
    if len(set(found)) < len(found):
        found = _set_apart(found, [_options(config) for config in configs])
    if taken:
        whole = map(point_name, configs)
        found = [n if n not in taken else w for n, w in zip(found, whole, strict=True)]
    counts = Counter([*found, *taken])
    return [
        name if counts[name] == 1 else f"{name} {identity(config)}"
        for name, config in zip(found, configs, strict=True)
    ]


def named_for_sweep(points: Mapping[Path, Config]) -> dict[Path, Config]:
    """Name the points of a sweep by what varies in it; a run keeps the name it has.

    Args:
        points: configs by run directory, of one study.
    """
    folders = {path.parent for path in points}
    beside = [RunDirectory(path.parent) for f in folders for path in f.glob(f"*/{IDENTITY}")]
    known = {run.path: str(run.identity().get("name")) for run in beside}
    fresh = sweep_names(list(points.values()), set(known.values()))
    named = {}
    for (run_dir, config), name in zip(points.items(), fresh, strict=True):
        given = f"{config.tracking.name} {name}" if config.tracking.name else name
        tracking = replace(config.tracking, name=known.get(run_dir, given))
        named[run_dir] = replace(config, tracking=tracking)
    return named


def varying_parameters(flat: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the flat parameters whose values differ over runs, in the order they come in."""
    known = dict.fromkeys(key for one in flat for key in one)
    return [key for key in known if len({str(one.get(key)) for one in flat}) > 1]


def _set_apart(found: list[str], options: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names with the options added, one after the other, that split those that are alike."""
    for key in varying_parameters(options):
        short = ".".join(key.split(".")[-2:]) if key.endswith(_UNITS) else key.rpartition(".")[2]
        longer = [
            f"{name} {short}={one.get(key)}" for name, one in zip(found, options, strict=True)
        ]
        if len(set(longer)) > len(set(found)):
            found = longer
        if len(set(found)) == len(found):
            break
    return found


_UNITS = (".steps", ".fovs", ".fraction", ".seconds", ".name")
"""Last parts of options that say nothing without the part before."""


def _options(config: Config) -> dict[str, Any]:
    """Flat options of those that count in the identity."""
    values = dataclasses.asdict(config)
    for path in RUN_LOCAL:
        _remove(values, path.split("."))
    return flatten(values)


def _words(config: Config) -> dict[str, str]:
    """The words of a name by what they say; empty where that is as it is by default."""
    cluster, rate = config.cluster, config.learning_rate
    nodes = ",".join(str(stage.nodes) for stage in config.stages) or cluster.nodes
    bases = [rate.base if stage.base is None else stage.base for stage in config.stages]
    rates = ",".join(f"{base:g}" for base in bases or [rate.base])
    batch, precision = cluster.local_batch_size, config.model.precision
    return {
        "nodes": f"n={nodes}",
        "batch": f"b={batch}" if batch > 1 else "",
        "continued": "continued" if config.continue_from else "",
        "rule": "unscaled" if rate.rule == "none" else rate.rule,
        "warmup": "warm" if rate.warmup.given else "",
        "cooldown": "cool" if rate.cooldown.given else "",
        "precision": precision if precision != "float32" else "",
        "optimizer": config.optimizer.name,
        "rate": f"lr={rates}",
        "seed": f"s{config.seed}",
    }


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
