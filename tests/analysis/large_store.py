"""Make an MLflow store of many runs, for timing: ``python tests/analysis/large_store.py DB RUNS``.

One sweep of small points, each with 40 training records of 19 metrics and 10 evaluations of 16,
which is about what a run of the study presets leaves; rows go into MLflow's tables by SQL, as its
client would take hours. Values are made up: a store for timing how it is read, and nothing else.
"""

from __future__ import annotations

import sqlite3
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from mlflow.tracking import MlflowClient

from ffn_core import metric_names as names

TRAIN = ("f1", "precision", "recall", "accuracy", "loss")
TIMES = ("step", "compute", "allreduce", "input", "straggler_wait", "update")
SCORES = ("f1", "precision", "recall", "accuracy", "loss", "f1_half", "auc")
CLOCKS = (names.ELAPSED_S, names.OPTIMIZER_STEP)
RECORD = (
    *(f"train/{name}" for name in TRAIN),
    *(f"time/{name}_s" for name in TIMES),
    names.THROUGHPUT,
    names.LEARNING_RATE,
    names.NOISE_SCALE,
    names.SLOWEST_RANK,
    *(f"memory/{i}" for i in range(2)),
    *CLOCKS,
)
EVALUATION = (*(f"{kind}/{name}" for kind in ("validation", "averaged") for name in SCORES),)
FOVS_PER_RECORD, RECORDS, EVALUATIONS = 200, 40, 10


def metrics_of(run: int) -> Iterator[tuple[str, int, float]]:
    """Name, FOVs and value of everything one run records."""
    for record in range(1, RECORDS + 1):
        fovs = FOVS_PER_RECORD * record
        for i, key in enumerate(RECORD):
            yield key, fovs, float(record + 0.01 * i + 0.001 * (run % 7))
        if record % (RECORDS // EVALUATIONS) == 0:
            for i, key in enumerate(EVALUATION):
                yield key, fovs, record / RECORDS * (0.8 - 0.01 * i) + 0.001 * (run % 7)


def params_of(run: int) -> dict[str, object]:
    """Parameters of one run: node counts, rules and seeds in turn."""
    nodes = 2 ** (run % 8)
    rest = {f"option.{i}": i for i in range(60)}
    return {
        names.NODES: nodes,
        names.RANKS: min(nodes, 2),
        names.LOCAL_BATCH_SIZE: 1,
        names.OPTIMIZER: "adam",
        names.RATE_BASE: 0.001,
        names.RATE_RULE: ("sqrt", "linear")[run // 8 % 2],
        names.RATE_PEAK: 0.001 * nodes,
        names.WARMUP: "none",
        names.SEED: run // 16,
        **rest,
    }


def make(path: Path, runs: int) -> None:
    """Write a new store with so many finished points of one experiment."""
    client = MlflowClient(f"sqlite:///{path}")
    number = int(client.create_experiment("large", (path.parent / "mlartifacts").as_uri()))
    template = client.create_run(str(number)).info.run_id
    with closing(sqlite3.connect(path)) as store:
        columns = [row[1] for row in store.execute("pragma table_info(runs)")]
        like = dict(zip(columns, store.execute("select * from runs").fetchone(), strict=True))
        for run in range(runs):
            run_id = uuid.UUID(int=(run + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128).hex
            mine = like | {"run_uuid": run_id, "name": f"point {run}", "status": "FINISHED"}
            mine |= {"start_time": 1_700_000_000_000 + run, "end_time": 1_700_000_100_000 + run}
            insert = f"insert into runs ({','.join(mine)}) values ({','.join('?' * len(mine))})"
            store.execute(insert, list(mine.values()))
            found = list(metrics_of(run))
            store.executemany(
                "insert into metrics (key, value, timestamp, run_uuid, step, is_nan) "
                "values (?, ?, ?, ?, ?, 0)",
                [(k, v, 1_700_000_000_000 + step, run_id, step) for k, step, v in found],
            )
            last = {key: (value, step) for key, step, value in found}
            store.executemany(
                "insert into latest_metrics (key, value, timestamp, step, is_nan, run_uuid) "
                "values (?, ?, ?, ?, 0, ?)",
                [(k, v, 1_700_000_000_000 + step, step, run_id) for k, (v, step) in last.items()],
            )
            tags = {
                names.KIND: names.POINT,
                names.OUTCOME: "finished",
                names.EMULATED: "true",
                names.RUN_DIR: f"/runs/large/point-{run}",
                names.PARENT: template,
            }
            for table, values in (("params", params_of(run)), ("tags", tags)):
                store.executemany(
                    f"insert into {table} (key, value, run_uuid) values (?, ?, ?)",
                    [(key, str(value), run_id) for key, value in values.items()],
                )
        store.commit()


if __name__ == "__main__":
    make(Path(sys.argv[1]).absolute(), int(sys.argv[2]))
