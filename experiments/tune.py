"""``python -m experiments.tune [overrides]``: ranks, threads, micro-batch that suit a machine.

Options are those of `experiments.tune_schema` under ``tune.`` and those of a training run, defaults
in ``conf/tune.yaml``. Exit codes are those of `experiments.reporting.exit_codes`.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from experiments.config.config_file import write_config
from experiments.config.hydra_app import run_section_app
from experiments.config.schema import Config
from experiments.launch.ranks import run_side_by_side
from experiments.machine import Machine, read_machine, warnings_before
from experiments.reporting import run_files
from experiments.reporting.exit_codes import EXIT_FAILED
from experiments.reporting.provenance import provenance
from experiments.reporting.terminal import Screen
from experiments.tune_schema import TuneConfig
from experiments.tuning import Setup, Trial, as_good, ranked, recommended, splits
from ffn_core.runtime import available_cores

RESULTS = "tune.json"
COLUMNS = ["ranks", "threads each", "micro-batch", "FOV/s", "of GEMM", ""]


class TuneError(RuntimeError):
    """A process failed; the message says where its log is."""


def main() -> int:
    """Run the app; returns the exit code."""
    screen = Screen()
    try:
        return run_section_app(
            "tune", TuneConfig, lambda section, config: tune(section, config, screen)
        )
    except TuneError as error:
        screen.error(str(error))
        return EXIT_FAILED


def tune(section: TuneConfig, config: Config, screen: Screen) -> None:
    """Try everything, show it, write it down.

    Raises:
        InputError: for anything that could not work.
        TuneError: A process failed.
    """
    cores = available_cores()
    layouts = splits(section.ranks, cores)
    machine: Machine = read_machine()
    for line in warnings_before(machine, layouts[-1][0], layouts[-1][1]):
        screen.warn(line)
    folder = Path(config.runs_dir).absolute() / "tune" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True)
    rounds = [(repeat, layout) for repeat in range(section.repeats) for layout in layouts]
    found: dict[Setup, list[tuple[float, float]]] = {}
    for repeat, (ranks, threads) in screen.track(rounds, f"{config.model.name} on {cores} cores"):
        place = folder / f"{ranks}x{threads}-{repeat}"
        for size, rates in _measure(section, config, ranks, threads, place).items():
            found.setdefault(Setup(ranks, threads, size), []).append(rates)
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
    screen.table(title, COLUMNS, _rows(trials, best))
    screen.say(f"results: {folder / RESULTS}")
    screen.say(
        f"for conf/site/ or the command line, {best.setup.ranks} ranks on each node: "
        f"cluster.threads_per_rank={best.setup.threads} "
        f"model.micro_batch_size={best.setup.micro_batch}"
    )


def _measure(
    section: TuneConfig, config: Config, ranks: int, threads: int, place: Path
) -> dict[int, tuple[float, float]]:
    """FOVs per second of all ranks and fraction of the GEMM rate, for each micro-batch."""
    alone = replace(
        config.cluster,
        nodes=1,
        ranks=1,
        threads_per_rank=threads,
        local_batch_size=max(section.micro_batches),
    )
    place.mkdir()
    write_config(place, replace(config, cluster=alone))
    plan = json.dumps(
        {"ranks": ranks, "micro_batches": section.micro_batches, "block_s": section.block_s}
    )
    log_path = place / "log"
    modules = [["experiments.tune_rank", str(place), str(rank), plan] for rank in range(ranks)]
    if not run_side_by_side(modules, log_path):
        raise TuneError(f"{ranks} ranks of {threads} threads: failed; see {log_path}")
    each: list[dict[str, Any]] = [
        run_files.read_json(place / f"rates-{r}.json") for r in range(ranks)
    ]
    return {
        size: (
            sum(rates[str(size)][0] for rates in each),
            sum(rates[str(size)][1] for rates in each) / ranks,
        )
        for size in section.micro_batches
    }


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
                f"{trial.median:,.4g} ({min(rates):,.4g} - {max(rates):,.4g})",
                f"{sorted(trial.of_gemm)[len(trial.of_gemm) // 2]:.0%}",
                note,
            ]
        )
    return rows


if __name__ == "__main__":
    sys.exit(main())
