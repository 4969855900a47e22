"""What a point does when others run beside it: its share of the machine, its folder, its bar."""

import fcntl
import io
import os
import re
from contextlib import nullcontext
from dataclasses import replace

import pytest
from rich.console import Console

from experiments.config import schema
from experiments.config.naming import identity, run_directory
from experiments.config.parsing import from_dict
from experiments.config.schema import Config, SweepConfig
from experiments.launch.elastic import compute_threads
from experiments.launch.prepare import check
from experiments.reporting.progress import SweepProgress
from experiments.reporting.records import Record
from experiments.reporting.terminal import Terminal
from experiments.sweep.point import Point
from ffn_core.errors import InputError


@pytest.fixture
def make_config(tmp_path):
    def make(parallel=1, ranks=1, **sections):
        values = {
            "data": {"name": "dummy", "kind": "dummy"},
            "model": {
                "name": "micro",
                "fov_zyx": [7, 7, 7],
                "deltas_zyx": [2, 2, 2],
                "depth": 2,
                "features": 4,
            },
            "budget": {"steps": 1},
            "cluster": {"nodes": 8, "ranks": ranks},
            "sweep": {"parallel": parallel},
            "validation": {"canvases": 0},
            "runs_dir": str(tmp_path / "runs"),
        }
        return from_dict(Config, values | sections)

    return make


@pytest.fixture
def cores(monkeypatch):
    def pretend(count):
        monkeypatch.setattr("ffn_core.runtime.available_cores", lambda: count)

    return pretend


@pytest.mark.parametrize(
    ("count", "parallel", "ranks", "threads"),
    [(16, 1, 2, 8), (16, 4, 2, 2), (16, 4, 1, 4), (2, 4, 1, 1)],
)
def test_threads_fit_into_a_points_share_of_the_cores(
    make_config, cores, count, parallel, ranks, threads
):
    cores(count)
    assert compute_threads(make_config(parallel, ranks), ranks) == threads
    elastic = {"cluster": {"nodes": 8, "ranks": ranks, "elastic": True}}
    # Each local rank of an elastic run is, for Horovod, a host of its own.
    assert compute_threads(make_config(parallel, **elastic), 1) == threads


@pytest.mark.parametrize(
    ("count", "parallel", "ranks"), [(4, 1, 4), (4, 2, 2), (7, 1, 4), (2, 4, 1)]
)
def test_ranks_fit_into_a_points_share_of_the_cores(make_config, count, parallel, ranks):
    assert make_config(parallel, ranks=0).on(count).cluster.ranks == ranks


def test_how_a_sweep_is_gone_through_is_no_part_of_a_points_identity(make_config):
    config = make_config()
    other = replace(config, sweep=SweepConfig(parallel=2, retries=3, baseline_nodes=2))
    assert identity(other) == identity(config)


def test_points_side_by_side_are_for_one_machine(make_config):
    check(make_config(2))
    batch = {"batch": {"system": "slurm"}}
    check(make_config(1, **batch))
    with pytest.raises(InputError, match=r"sweep\.parallel=2.*batch\.system=slurm"):
        check(make_config(2, **batch))
    placed = {"launcher": {"name": "srun"}, "cluster": {"threads_per_rank": 1}, "batch": {}}
    with pytest.raises(InputError, match=r"launcher\.name=srun"):
        check(make_config(2, **placed))
    with pytest.raises(InputError, match=r"sweep\.parallel=0"):
        from_dict(schema.SweepConfig, {"parallel": 0}, "sweep.")


def test_a_run_directory_belongs_to_one_command_at_a_time(make_config):
    config = make_config()
    run_dir = run_directory(config)
    run_dir.mkdir(parents=True)
    (run_dir / "failure.json").write_text("{}")
    held = os.open(run_dir, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    point = Point(config, Terminal())
    point.start(nullcontext)
    os.close(held)
    assert point.poll().outcome == "input"
    assert f"{run_dir} is being worked on by another command" in point.outcome.message
    assert [path.name for path in run_dir.iterdir()] == ["failure.json"], "nothing is touched"


def two_bars(terminal):
    """Two runs side by side, the first of which ends before the second; what is printed."""
    first, second = terminal.bar("n=1"), terminal.bar("n=2")
    state = {"budget_s": None, "budget_steps": 10, "elapsed_s": 2.0, "step": 5}
    first.update(state, [Record(5, 40, 2.0, 0.0, {"throughput/fovs_per_second": 20.0})])
    first.close()
    second.update(state | {"step": 10}, [])
    second.close()
    with terminal.point("n=3"):
        pass
    return terminal.console.file.getvalue()


def test_a_closed_bar_stays_above_those_that_move():
    terminal = Terminal()
    terminal.console = Console(file=io.StringIO(), width=100, highlight=False, force_terminal=True)
    terminal.sweep = SweepProgress(3, 0)
    printed = re.sub(r"\x1b\[[?\d;]*[A-Za-z]|\r", "\n", two_bars(terminal)).splitlines()
    first = next(i for i, line in enumerate(printed) if line.startswith("n=1 ━") and "50%" in line)
    second = next(
        i for i, line in enumerate(printed) if line.startswith("n=2 ━") and "100%" in line
    )
    assert first < second
    assert "sweep: point 1 of 3" in printed


def test_a_log_has_a_line_for_each_report_from_the_start():
    terminal = Terminal()
    terminal.console = Console(file=io.StringIO(), width=100)
    assert two_bars(terminal).splitlines() == [
        "n=1: starting ranks",
        "n=2: starting ranks",
        "n=1: 50%  40 FOVs  20.0 FOV/s  0:00:02 left",
        "n=1: 50%  40 FOVs  20.0 FOV/s  0:00:02 left",
        "n=2: 100%  in 0:00:02",
        "n=3: starting ranks",
    ]
