"""Real runs of a network small enough that a step takes a millisecond."""

import dataclasses
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from experiments.config.config_file import write_config
from experiments.config.parsing import from_dict
from experiments.config.schema import Config
from experiments.launch.prepare import prepare
from experiments.launch.ranks import Ranks
from experiments.launch.stop_request import StopRequest
from experiments.reporting import run_files
from experiments.reporting.records import read_records
from experiments.trainer.recorder import FileRecorder
from ffn_core.training import checkpoint as checkpoints

RUN_LIMIT_S = 120.0

PLANTED = "planted-in-the-environment"
VARIABLES = ("MLFLOW_TRACKING_PASSWORD", "AWS_SECRET_ACCESS_KEY", "DATABASE_URL", "ORDINARY")


@pytest.fixture(scope="session")
def data_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where synthetic volumes are made, once per session."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def planted_environment(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Plant secrets in the environment; check that others see none while ranks have all of them."""
    for name in VARIABLES:
        monkeypatch.setenv(name, f"https://me:{PLANTED}@host")
    # All command lines there are, read by another user where we may become one.
    other = ["setpriv", "--reuid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    command = [*other, "sh", "-c", "cat /proc/[0-9]*/cmdline"]

    def check(run_dir: Path) -> None:
        seen = subprocess.run(command, check=False, capture_output=True).stdout
        assert f"-m\0experiments.worker\0{run_dir}\0".encode() in seen
        assert PLANTED.encode() not in seen
        for path in run_dir.rglob("*"):
            assert not path.is_file() or PLANTED.encode() not in path.read_bytes(), path

    return check


MICRO = [
    "data.size_zyx=[64,40,40]",
    "data.min_object_voxels=100",
    "model.fov_zyx=[7,7,7]",
    "model.deltas_zyx=[2,2,2]",
    "model.depth=2",
    "model.features=4",
    "validation.canvases=4",
    "validation.every_fovs=24",
    "report.every_fovs=8",
    "cluster.nodes=4",
    "cluster.ranks=1",
    "tracking.experiment=test",
    "sweep.figures=false",
]


@pytest.fixture(scope="session")
def micro_overrides(data_cache: Path) -> list[str]:
    """Command-line overrides that make a very small run."""
    return [*MICRO, f"data.cache_dir={data_cache}"]


@pytest.fixture(scope="session")
def make_config(data_cache: Path) -> Callable[..., Config]:
    """Config of a very small run; sections are merged into the defaults."""

    def build(**sections: Any) -> Config:
        values: dict[str, Any] = {
            "data": {
                "name": "synthetic",
                "size_zyx": [64, 40, 40],
                "cache_dir": str(data_cache),
                "min_object_voxels": 100,
            },
            "model": {
                "name": "micro",
                "fov_zyx": [7, 7, 7],
                "deltas_zyx": [2, 2, 2],
                "depth": 2,
                "features": 4,
                "micro_batch_size": 4,
            },
            "budget": {"steps": 12},
            "cluster": {"nodes": 4, "ranks": 1},
            "report": {"every_fovs": 8},
            "validation": {"every_fovs": 24, "canvases": 4, "batch_size": 4},
        }
        for name, section in sections.items():
            if isinstance(section, dict) and name not in ("budget",):
                values[name] = values.get(name, {}) | section
            else:
                values[name] = section
        return from_dict(Config, values)

    return build


@pytest.fixture(scope="session")
def start_ranks() -> Callable[[Config, Path], Ranks]:
    """Write a run directory and start its real ranks."""

    def start(config: Config, run_dir: Path) -> Ranks:
        run_dir.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump(dataclasses.asdict(prepare(config)))
        (run_dir / run_files.CONFIG).write_text(text)
        return Ranks(config, run_dir)

    return start


@pytest.fixture(scope="session")
def train(start_ranks: Callable[[Config, Path], Ranks]) -> Callable[[Config, Path], None]:
    """Run a config to its end."""

    def run(config: Config, run_dir: Path) -> None:
        with start_ranks(config, run_dir) as ranks:
            assert ranks.wait(RUN_LIMIT_S) == 0, ranks.log_tail(60)

    return run


@pytest.fixture(scope="session")
def train_here() -> Callable[[Config, Path], None]:
    """Run a config on one rank to its end in this process: the start of another takes seconds."""
    from experiments.trainer.trainer import Trainer
    from ffn_core.training.distributed import Collectives, Topology

    def run(config: Config, run_dir: Path) -> None:
        run_dir.mkdir(parents=True, exist_ok=True)
        prepared = prepare(config)
        assert prepared.cluster.ranks == 1
        write_config(run_dir, prepared)
        recorder, alone = FileRecorder(run_dir), Collectives(Topology(0, 1, 0, 1))
        summary = Trainer(prepared, run_dir, alone, recorder, StopRequest(run_dir)).train()
        assert summary["finished"]
        run_files.write_json(run_dir / run_files.RESULT, {"outcome": "finished"} | summary)

    return run


@pytest.fixture(scope="session")
def losses() -> Callable[[Path], np.ndarray]:
    """Recorded training losses of a run directory."""

    def read(run_dir: Path) -> np.ndarray:
        found = read_records(run_dir / run_files.METRICS)
        return np.array([r.metrics["train/loss"] for r in found if "train/loss" in r.metrics])

    return read


@pytest.fixture(scope="session")
def final_weights() -> Callable[[Path], np.ndarray]:
    """All weights of the newest checkpoint of a run directory, and their average, flattened."""

    def read(run_dir: Path) -> np.ndarray:
        newest = checkpoints.latest(run_dir / run_files.CHECKPOINTS)
        assert newest is not None
        shared = checkpoints.load(newest)
        assert len(shared.averaged) == len(shared.weights)
        return np.concatenate([w.ravel() for w in shared.weights + shared.averaged])

    return read
