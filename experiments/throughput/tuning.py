"""How to split a machine among ranks: what can be tried, how it is timed, what came out best."""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from experiments.config.config_file import write_config
from experiments.config.schema import Config
from experiments.launch.devices import check_installed
from experiments.launch.rank_numbers import require_no_launcher
from experiments.launch.ranks import run_side_by_side
from experiments.reporting import run_files
from experiments.reporting.provenance import provenance
from experiments.reporting.terminal import Terminal
from experiments.throughput.machine import Machine, read_machine, warnings_before
from ffn_core.devices.host import usable_gpus
from ffn_core.errors import InputError
from ffn_core.files.outputs import new_folder
from ffn_core.limits.ranges import MOST_THREADS, number, numbers, option
from ffn_core.model_size import PRECISIONS
from ffn_core.runtime import available_cores, cpu_flags, native_bfloat16, warn_of_precision


@dataclass(frozen=True, order=True)
class Setup:
    """Ranks on one machine, compute threads of each, FOVs in one pass of a rank, its precision."""

    ranks: int
    threads: int
    micro_batch: int
    precision: str = "float32"


@dataclass(frozen=True)
class Trial:
    """What a setup reached.

    Attributes:
        setup: what was tried.
        fovs_per_second: of all its ranks, a value for every repeat.
        of_gemm: training operations over those of matrix products in float32, likewise.
    """

    setup: Setup
    fovs_per_second: Sequence[float]
    of_gemm: Sequence[float]

    @property
    def median(self) -> float:
        """FOVs per second."""
        return statistics.median(self.fovs_per_second)


def splits(ranks: Sequence[int], cores: int, gpus: int = 0) -> list[tuple[int, int]]:
    """(ranks, threads of each) that share ``cores`` cores, none of them twice.

    Args:
        ranks: to be tried; none for all powers of two that there is room for.
        cores: of this machine.
        gpus: of this machine; with some of them a rank is to have one, else a core at least.

    Raises:
        InputError: There are more ranks than cores, or GPUs.
    """
    room, what = (gpus, "GPUs") if gpus else (cores, "cores")
    if too_many := [count for count in ranks if count > min(room, cores)]:
        raise InputError(
            f"tune.ranks={list(ranks)}: this machine has {room} {what} for {too_many[0]} ranks; "
            f"choose up to {min(room, cores)}"
        )
    room = min(room, cores)
    chosen = sorted(ranks) or [2**i for i in range(room.bit_length()) if 2**i <= room]
    return [(count, cores // count) for count in chosen]


def precisions(asked: Sequence[str], of_model: str, native: Sequence[str]) -> list[str]:
    """Which precisions to try.

    Args:
        asked: by the user; none for that of the model, and those that the device has.
        of_model: what the model has.
        native: what the device multiplies by itself, beside float32.
    """
    return list(asked) or list(dict.fromkeys([of_model, *native]))


def native_precisions(gpus: int, flags: Collection[str]) -> list[str]:
    """What this machine multiplies by itself, beside float32.

    Args:
        gpus: that are computed on; whether they are old ones is for the measurement to show.
        flags: of the CPU, which is computed on without GPUs.
    """
    if gpus:
        return ["tf32", "bfloat16"]
    return ["bfloat16"] if native_bfloat16(flags) else []


def in_processes(variants: Sequence[tuple[str, int]], gpus: int) -> list[list[tuple[str, int]]]:
    """Which variants one process may time.

    On GPUs TF32 is timed in processes of its own. TensorFlow looks for the fastest algorithm of
    cuDNN once for each shape, whether or not TF32 is allowed at the time, and keeps to it: after
    float32 steps in TF32 were four times slower than alone (one H200, published network).

    Args:
        variants: pairs of precision and micro-batch.
        gpus: that are computed on.
    """
    if not gpus:
        return [list(variants)]
    parts = [[one for one in variants if (one[0] == "tf32") is alone] for alone in (False, True)]
    return [part for part in parts if part]


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """Fastest first."""
    return sorted(trials, key=lambda trial: -trial.median)


def as_good(trials: Sequence[Trial]) -> list[Trial]:
    """The fastest, and those that beat it in some repeat: noise does not tell them apart."""
    best = ranked(trials)[0]
    pairs = [(t, zip(t.fovs_per_second, best.fovs_per_second, strict=True)) for t in trials]
    equal = [t for t, pair in pairs if t is best or any(mine > other for mine, other in pair)]
    return ranked(equal)


def recommended(trials: Sequence[Trial]) -> Trial:
    """Of those as good as the fastest: float32, then fewest ranks, then the smallest micro-batch.

    Float32 is more exact. Fewer ranks mean a smaller global batch for the same speed, and a smaller
    micro-batch less memory and a batch that can be chosen more freely.
    """

    def simplicity(trial: Trial) -> tuple[bool, int, int]:
        setup = trial.setup
        return setup.precision != "float32", setup.ranks, setup.micro_batch

    return min(as_good(trials), key=simplicity)


@dataclass(frozen=True)
class TuneConfig:
    """What to try; see ``conf/tune.yaml``."""

    ranks: list[int] = numbers(
        [],
        "processes on this machine; none given: powers of two up to its cores",
        at_least=1,
        at_most=MOST_THREADS,
    )
    micro_batches: list[int] = numbers(
        [1, 2, 4, 8, 16], "FOVs in one pass", at_least=1, at_most=10**6
    )
    precisions: list[str] = option(
        [], "of convolutions; none given: that of the model, and those that CPU or GPU has"
    )
    repeats: int = number(3, "measurements of each", at_least=1, at_most=1000)
    block_s: float = number(1.0, "seconds of one measurement", at_least=1e-3, at_most=3600)

    def __post_init__(self) -> None:
        for name in ("ranks", "micro_batches"):
            values = getattr(self, name)
            if len(set(values)) != len(values):
                raise InputError(f"tune.{name}={values} must be different counts")
        known = [name for name in self.precisions if name in PRECISIONS]
        if self.precisions != known or len(set(known)) != len(known):
            raise InputError(
                f"tune.precisions={self.precisions} must be different ones of "
                f"{', '.join(PRECISIONS)}"
            )
        if not self.micro_batches:
            raise InputError("tune.micro_batches=[] leaves nothing to try; give sizes, as [1,2,4]")


RESULTS = "tune.json"
COLUMNS = ["ranks", "threads each", "micro-batch", "precision", "FOV/s", "of float32 GEMM", ""]


class TuneError(RuntimeError):
    """A process failed; the message says where its log is."""


def tune(section: TuneConfig, config: Config, terminal: Terminal) -> None:
    """Try everything, show it, write it down.

    Raises:
        InputError: for anything that could not work.
        TuneError: A process failed.
    """
    require_no_launcher(os.environ)
    cores = available_cores()
    check_installed(config.device)
    gpus = usable_gpus(config.device)
    layouts = splits(section.ranks, cores, gpus)
    machine: Machine = read_machine()
    native = native_precisions(gpus, cpu_flags())
    formats = precisions(section.precisions, config.model.precision, native)
    variants = [(precision, size) for precision in formats for size in section.micro_batches]
    for line in warnings_before(machine, layouts[-1][0], layouts[-1][1]):
        terminal.warn(line)
    for precision in formats:
        if not gpus and (warning := warn_of_precision(precision)):
            terminal.warn(warning)
    runs = Path(config.runs_dir).absolute()
    folder = new_folder(runs / "tune" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}")
    room = f"{gpus} GPUs" if gpus else f"{cores} cores"
    parts = list(enumerate(in_processes(variants, gpus)))
    rounds = [(i, at, part) for i in range(section.repeats) for at in layouts for part in parts]
    found: dict[Setup, list[tuple[float, float]]] = {}
    for repeat, (ranks, threads), (index, part) in terminal.track(
        rounds, f"{config.model.name} on {room}"
    ):
        place = folder / f"{ranks}x{threads}-{repeat}-{index}"
        measured = _measure(section, config, part, ranks, threads, place)
        for (precision, size), rates in zip(part, measured, strict=True):
            found.setdefault(Setup(ranks, threads, size, precision), []).append(rates)
    trials = [Trial(s, [v[0] for v in vs], [v[1] for v in vs]) for s, vs in found.items()]
    best = recommended(trials)
    about = {
        "model": dataclasses.asdict(config.model),
        "tune": dataclasses.asdict(section),
        "machine": dataclasses.asdict(machine),
        "provenance": provenance(),
    }
    values = {
        "about": about,
        "trials": [dataclasses.asdict(trial) for trial in ranked(trials)],
        "recommended": dataclasses.asdict(best.setup),
    }
    run_files.write_json(folder / RESULTS, values)
    title = f"bare training steps of {config.model.name}; median (lowest - highest) of repeats"
    terminal.table(title, COLUMNS, _rows(trials, best))
    terminal.say(f"results: {folder / RESULTS}")
    terminal.say(
        f"for conf/site/ or the command line, {best.setup.ranks} ranks on each node: "
        f"cluster.threads_per_rank={best.setup.threads} "
        f"model.micro_batch_size={best.setup.micro_batch} model.precision={best.setup.precision}"
    )


def _measure(
    section: TuneConfig,
    config: Config,
    variants: list[tuple[str, int]],
    ranks: int,
    threads: int,
    place: Path,
) -> list[tuple[float, float]]:
    """FOVs per second of all ranks and fraction of the GEMM rate, for each variant."""
    alone = replace(
        config.cluster,
        nodes=1,
        ranks=1,
        threads_per_rank=threads,
        local_batch_size=max(section.micro_batches),
    )
    place.mkdir()
    write_config(place, replace(config, cluster=alone))
    plan = json.dumps({"ranks": ranks, "variants": variants, "block_s": section.block_s})
    log_path = place / "log"
    modules = [
        ["experiments.throughput.tune_rank", str(place), str(rank), plan] for rank in range(ranks)
    ]
    if not run_side_by_side(modules, log_path):
        raise TuneError(f"{ranks} ranks of {threads} threads: failed; see {log_path}")
    each: list[Any] = [run_files.read_json(place / f"rates-{r}.json") for r in range(ranks)]
    return [
        (sum(rate for rate, _ in of_ranks), sum(part for _, part in of_ranks) / ranks)
        for of_ranks in zip(*each, strict=True)
    ]


def _rows(trials: list[Trial], best: Trial) -> list[list[str]]:
    equal = as_good(trials)
    rows = []
    for trial in ranked(trials):
        setup = trial.setup
        rates = trial.fovs_per_second
        note = "recommended" if trial is best else "as good" if trial in equal else ""
        rows.append(
            [
                *(str(n) for n in (setup.ranks, setup.threads, setup.micro_batch)),
                setup.precision,
                f"{trial.median:,.4g} ({min(rates):,.4g} - {max(rates):,.4g})",
                f"{sorted(trial.of_gemm)[len(trial.of_gemm) // 2]:.0%}",
                note,
            ]
        )
    return rows
