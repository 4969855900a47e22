"""Points of a sweep side by side, against one point that has all cores to itself."""

from __future__ import annotations

from pathlib import Path

from experiments.benchmarks.ratio import Ratio, ratio
from experiments.benchmarks.runner import Bench
from experiments.reporting.run_files import METRICS, run_directories
from experiments.throughput.efficiency import common_rate
from ffn_core.errors import InputError
from ffn_core.runtime import available_cores

NODES = (1, 4, 64)


def points(bench: Bench) -> list[Ratio]:
    """FOVs per second in all of as many points of a rank as there are cores, in turns with one.

    The one point has as many ranks as fit: one rank with all cores where it has a single node.
    """
    return [one for nodes in NODES for one in _points(bench, nodes)]


def _points(bench: Bench, nodes: int) -> list[Ratio]:
    count = available_cores()
    seconds = 6 if bench.quick else 20
    many, one, ratios = [], [], []
    for repeat in range(min(bench.repeats, 3)):
        out = bench.folder / "points" / f"{nodes}-{repeat}"
        seeds = ",".join(str(seed) for seed in range(1, count + 1))
        side_by_side = (f"seed={seeds}", "cluster.ranks=1", f"sweep.parallel={count}")
        many.append(_rate(bench, out / "many", nodes, seconds, "-m", *side_by_side))
        one.append(_rate(bench, out / "one", nodes, seconds, "cluster.ranks=0"))
        ratios.append(many[-1] / one[-1])
    what = f"micro, n = {nodes}"
    return [
        Ratio(f"{what}: {count} points side by side, in all", "", tuple(many), "FOV/s", None),
        Ratio(f"{what}: 1 point with all cores", "", tuple(one), "FOV/s", None),
        ratio(f"{what}: {count} points side by side, FOVs/s in all", "1 point", ratios, None),
    ]


def _rate(bench: Bench, out: Path, nodes: int, seconds: int, *overrides: str) -> float:
    """FOVs per second summed over the points, while all of them were training.

    Raises:
        InputError: They were never training at the same time.
    """
    bench.train(
        out,
        *overrides,
        "model=micro",
        f"cluster.nodes={nodes}",
        f"budget.seconds={seconds}",
        "report.every_fovs=256",
        "validation.canvases=0",
    )
    found = [run.records() for run in run_directories(out, METRICS)]
    rate = common_rate(found)
    if rate is None:
        raise InputError(f"the points below {out} were never training at the same time")
    return rate.fovs_per_second
