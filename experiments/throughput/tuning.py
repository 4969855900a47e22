"""How to split a machine among ranks: what can be tried, how it is timed, what came out best."""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from experiments.config.config_file import write_config
from experiments.config.schema import Config
from experiments.launch.launchers import require_no_launcher
from experiments.launch.ranks import run_side_by_side
from experiments.reporting import run_files
from experiments.reporting.provenance import provenance
from experiments.reporting.terminal import Terminal
from experiments.throughput.machine import Machine, read_machine, warnings_before
from ffn_core.errors import InputError
from ffn_core.model_size import PRECISIONS
from ffn_core.outputs import new_folder
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


def splits(ranks: Sequence[int], cores: int) -> list[tuple[int, int]]:
    """(ranks, threads of each) that share ``cores`` cores, none of them twice.

    Args:
        ranks: to be tried; none for all powers of two up to ``cores``.
        cores: of this machine.

    Raises:
        InputError: There are more ranks than cores.
    """
    if too_many := [count for count in ranks if count > cores]:
        raise InputError(
            f"tune.ranks={list(ranks)}: this machine has {cores} cores for {too_many[0]} ranks; "
            f"choose up to {cores}"
        )
    chosen = sorted(ranks) or [2**i for i in range(cores.bit_length()) if 2**i <= cores]
    return [(count, cores // count) for count in chosen]


def precisions(asked: Sequence[str], of_model: str, native: bool) -> list[str]:
    """Which precisions to try.

    Args:
        asked: by the user; none for that of the model, and bfloat16 if the CPU has it.
        of_model: what the model has.
        native: whether the CPU multiplies bfloat16 numbers by itself.
    """
    return list(asked) or list(dict.fromkeys([of_model, *(["bfloat16"] if native else [])]))


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

    ranks: list[int] = field(default_factory=list)
    micro_batches: list[int] = field(default_factory=lambda: [1, 2, 4, 8, 16])
    precisions: list[str] = field(default_factory=list)
    repeats: int = 3
    block_s: float = 1.0

    def __post_init__(self) -> None:
        for name in ("ranks", "micro_batches"):
            values = getattr(self, name)
            if any(v < 1 for v in values) or len(set(values)) != len(values):
                raise InputError(f"tune.{name}={values} must be different counts of at least 1")
        known = [name for name in self.precisions if name in PRECISIONS]
        if self.precisions != known or len(set(known)) != len(known):
            raise InputError(
                f"tune.precisions={self.precisions} must be different ones of "
                f"{', '.join(PRECISIONS)}"
            )
        if not self.micro_batches:
            raise InputError("tune.micro_batches=[] leaves nothing to try; give sizes, as [1,2,4]")
        if self.repeats < 1:
            raise InputError(f"tune.repeats={self.repeats} must be at least 1")
        if not self.block_s > 0:
            raise InputError(f"tune.block_s={self.block_s} must be seconds above 0")


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
    layouts = splits(section.ranks, cores)
    machine: Machine = read_machine()
    native = native_bfloat16(cpu_flags())
    formats = precisions(section.precisions, config.model.precision, native)
    variants = [(precision, size) for precision in formats for size in section.micro_batches]
    for line in warnings_before(machine, layouts[-1][0], layouts[-1][1]):
        terminal.warn(line)
    if "bfloat16" in formats and (warning := warn_of_precision("bfloat16")):
        terminal.warn(warning)
    runs = Path(config.runs_dir).absolute()
    folder = new_folder(runs / "tune" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}")
    rounds = [(repeat, layout) for repeat in range(section.repeats) for layout in layouts]
    found: dict[Setup, list[tuple[float, float]]] = {}
    for repeat, (ranks, threads) in terminal.track(rounds, f"{config.model.name} on {cores} cores"):
        place = folder / f"{ranks}x{threads}-{repeat}"
        measured = _measure(section, config, variants, ranks, threads, place)
        for (precision, size), rates in zip(variants, measured, strict=True):
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
