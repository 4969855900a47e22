"""Speed-up and parallel efficiency of finished points: into their directories, and into MLflow.

Definitions are those of `ffn_core.parallel_efficiency`, over the finished real points of a folder
of runs. Points of an emulated cluster, and those that shared the machine with others, take no part.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.reporting.mlflow_store import Store
from experiments.reporting.mlflow_sync import linked_run
from experiments.reporting.point_summary import efficiency_shown
from experiments.reporting.records import Record
from experiments.reporting.run_files import IDENTITY, SCALING, RunDirectory
from ffn_core import metric_names as names
from ffn_core.files import whole_file
from ffn_core.parallel_efficiency import (
    WEAK,
    WORK,
    NodeCount,
    ScalingCurve,
    ScalingPoint,
    overall_rate,
    scaling_curves,
)

TABLE = "scaling.csv"


@dataclass(frozen=True)
class MeasuredRun:
    """A finished run on real nodes.

    Attributes:
        run_dir: its directory.
        point: what it measured.
        last: its last record.
    """

    run_dir: Path
    point: ScalingPoint
    last: Record


def measured_run(run_dir: Path) -> MeasuredRun | None:
    """What a run measured; None if it is emulated, not finished, not alone or not readable.

    None as well for runs of the throughput command, which has compared them itself.
    """
    try:
        files = RunDirectory(run_dir)
        result, identity = files.result(), files.identity()
        tags, params = identity["tags"], identity["params"]
        real = tags[names.EMULATED] == "false" and int(tags.get(names.PARALLEL_POINTS, 1)) == 1
        staged = params.get(names.STAGES, "none") != "none"  # no throughput of one node count
        if not real or staged or result.get("outcome") != "finished":
            return None
        found = files.records()
        rates = [r.metrics[names.THROUGHPUT] for r in found if names.THROUGHPUT in r.metrics]
        if not rates or any(names.PARALLEL_EFFICIENCY in r.metrics for r in found):
            return None
        point = ScalingPoint(
            int(params[names.NODES]),
            int(params[names.LOCAL_BATCH_SIZE]),
            overall_rate(rates),
            tuple(str(params.get(name)) for name in WORK),
        )
    except (OSError, KeyError, TypeError, ValueError):
        return None  # of an older version, or damaged
    return MeasuredRun(run_dir, point, found[-1])


class SweepScaling:
    """The scaling curves among the runs of a folder that hold at least one of some points."""

    def __init__(
        self, folder: Path, run_dirs: Iterable[Path], baseline_nodes: int | None = None
    ) -> None:
        """Read all runs of a folder.

        Args:
            folder: of the run directories of an experiment.
            run_dirs: those that are to get values.
            baseline_nodes: what is compared with; None is the smallest node count of a curve.
        """
        siblings = sorted(path.parent for path in folder.glob(f"*/{IDENTITY}"))
        self._runs = [run for path in siblings if (run := measured_run(path)) is not None]
        wanted = set(run_dirs)
        self._mine = {i for i, run in enumerate(self._runs) if run.run_dir in wanted}
        self.curves: list[ScalingCurve] = [
            curve
            for curve in scaling_curves([run.point for run in self._runs], baseline_nodes)
            if self._mine.intersection(curve.members)
        ]

    def keep(self) -> list[Path]:
        """Record the values of each point in its directory, unless they are there already.

        A point on curves of both kinds gets those of the weak one.

        Returns:
            Directories of all points that have values.
        """
        of_point: dict[int, NodeCount] = {}
        for curve in self.curves:
            for i in self._mine.intersection(curve.members):
                of_point.setdefault(i, curve.of_point(self._runs[i].point))
        for i, values in of_point.items():
            run = self._runs[i]
            files, metrics = RunDirectory(run.run_dir), _metrics(values)
            known = files.records(SCALING)
            if not known or known[-1].metrics != metrics:
                files.append(replace(run.last, unix_s=time.time(), metrics=metrics), SCALING)
        return [self._runs[i].run_dir for i in sorted(of_point)]

    def best(self) -> Record | None:
        """The best values beyond the baselines, for the run of the sweep; None without a curve."""
        beyond = [c for curve in self.curves for c in curve.node_counts if c != curve.baseline]
        if not beyond:
            return None
        fast = max(beyond, key=lambda count: count.speedup)
        efficient = max(beyond, key=lambda count: count.parallel_efficiency)
        metrics = {
            names.BEST_SPEEDUP: fast.speedup,
            names.BEST_SPEEDUP_NODES: float(fast.nodes),
            names.BEST_PARALLEL_EFFICIENCY: efficient.parallel_efficiency,
            names.BEST_PARALLEL_EFFICIENCY_NODES: float(efficient.nodes),
        }
        # As old as the newest run they rest on: sent again, they are the same.
        members = {i for curve in self.curves for i in curve.members}
        return Record(0, 0, 0.0, max(self._runs[i].last.unix_s for i in members), metrics)

    def write_table(self, path: Path) -> None:
        """Write a CSV file with a row for each node count of each curve."""
        fields = ("nodes", "repeats", "fovs_per_second", "speedup", "parallel_efficiency")
        with whole_file(path) as partial, partial.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["kind", "batch_size", *fields, "baseline_nodes", *WORK])
            for curve in self.curves:
                for count in curve.node_counts:
                    values = [getattr(count, name) for name in (*fields, "baseline_nodes")]
                    writer.writerow([curve.kind, curve.batch_size, *values, *curve.work])

    def tables(self) -> list[tuple[str, list[list[str]]]]:
        """Title and rows, in `COLUMNS`, of each curve, for a person to read."""
        return [(_title(curve), [_row(c) for c in curve.node_counts]) for curve in self.curves]


COLUMNS = ["nodes", "repeats", "FOV/s", "speed-up", "parallel efficiency"]


def send(run_dirs: Sequence[Path], store: Store) -> None:
    """Send the recorded values of points to their runs in a store, where they have one there.

    Raises:
        StoreError: as of the store; `experiments.import_runs` sends them later.
    """
    for run_dir in run_dirs:
        if (run_id := linked_run(run_dir, store.uri)) is not None:
            records = RunDirectory(run_dir).records(SCALING)
            store.log_records(run_id, records)
            store.set_tags(run_id, efficiency_shown(records))


def _metrics(values: NodeCount) -> dict[str, float]:
    return {
        names.PARALLEL_EFFICIENCY: values.parallel_efficiency,
        names.SPEEDUP: values.speedup,
        names.REAL_THROUGHPUT: values.fovs_per_second,
        names.BASELINE_NODES: float(values.baseline_nodes),
    }


def _title(curve: ScalingCurve) -> str:
    scope = "per node" if curve.kind == WEAK else "in all"
    base = curve.baseline.nodes
    return (
        f"{curve.kind} scaling, {curve.batch_size} FOVs a step {scope}, against {base} "
        f"node{'s' if base != 1 else ''}"
    )


def _row(count: NodeCount) -> list[str]:
    return [
        str(count.nodes),
        str(count.repeats),
        f"{count.fovs_per_second:,.1f}",
        f"{count.speedup:.2f}",
        f"{count.parallel_efficiency:.1%}",
    ]
