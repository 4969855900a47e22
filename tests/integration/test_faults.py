"""Ranks that hang, die or diverge, and disks that are full: all for real."""

import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest

from experiments.data.dataset import canvas_sources
from experiments.launch.prepare import prepare
from experiments.reporting import run_files
from experiments.reporting.records import read_records
from ffn_core.exit_codes import EXIT_DIVERGED, EXIT_FAILED, EXIT_INPUT, EXIT_STOPPED
from ffn_core.training import checkpoint as checkpoints
from ffn_core.training.examples import ExampleStream

pytestmark = [pytest.mark.ranks, pytest.mark.timeout(900)]

WAIT_S = 300.0
FOREVER = {"steps": 10**6}
LOSSES = [(1, signal.SIGKILL)]
if "FUZZ_KILLS" in os.environ:  # each takes a dozen starts of a rank
    LOSSES += [(2, signal.SIGSTOP)]


def rank_processes(run_dir: Path) -> dict[int, psutil.Process]:
    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cmdline()[1:] == ["-m", "experiments.worker", str(run_dir)]:
                found[int(process.environ().get("HOROVOD_RANK", 0))] = process
    return found


def step_of(run_dir: Path) -> int:
    return (run_files.read_json(run_dir / run_files.PROGRESS) or {"step": 0})["step"]


def wait_until(condition, ranks, what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert ranks.wait(0.02) is None, ranks.log_tail(40)
        assert time.monotonic() < deadline, f"no {what} after {WAIT_S} s: {ranks.log_tail(40)}"


def test_a_rank_that_hangs_ends_the_run_and_is_named(
    make_config, start_ranks, planted_environment, tmp_path
):
    config = make_config(budget=FOREVER, cluster={"ranks": 2, "stall_timeout_s": 10.0})
    with start_ranks(config, tmp_path) as ranks:
        wait_until(lambda: step_of(tmp_path) > 5, ranks, "training")
        planted_environment(tmp_path)
        hung = rank_processes(tmp_path)[1]
        assert hung.environ()["AWS_SECRET_ACCESS_KEY"] == os.environ["AWS_SECRET_ACCESS_KEY"]
        hung.send_signal(signal.SIGSTOP)
        assert ranks.wait(WAIT_S) not in (0, None)
        assert "error: waited" in ranks.log_path.read_text(errors="replace")
    assert rank_processes(tmp_path) == {}
    failure = run_files.read_json(tmp_path / run_files.FAILURE)
    assert failure["exit_code"] == EXIT_FAILED
    assert failure["ends_run"]
    host = os.uname().nodename
    assert f"for rank 1 (host {host}, process {hung.pid}: stopped or gone)" in failure["message"]
    assert "\n" not in failure["message"]


@pytest.mark.parametrize(("seed", "how"), LOSSES)
def test_elastic_ranks_go_on_without_one_and_take_it_in_again(
    seed, how, make_config, start_ranks, train, losses, final_weights, planted_environment, tmp_path
):
    """Seven nodes on 3, 2 and 3 ranks, uneven every time, train as on a single one."""
    rng = np.random.default_rng(seed)
    cluster = {"nodes": 7, "local_batch_size": 4, "threads_per_rank": 1, "stall_timeout_s": 10.0}
    elastic = cluster | {"ranks": 3, "elastic": True, "readmit_after_s": 2}
    slow = {"depth": 4, "features": 8}  # steps are few while a rank is away: rounding adds up
    sections = {"checkpoint": {"every_fovs": 7 * 4 * 4}, "model": slow}
    config = make_config(budget=FOREVER, cluster=elastic, **sections)
    disturbed = tmp_path / "disturbed"
    sizes = []

    def size() -> int:
        """Ranks that took part in the newest checkpoint: each wrote one file of streams."""
        newest = checkpoints.latest(disturbed / run_files.CHECKPOINTS)
        count = len(list(newest.glob("nodes-*"))) if newest else 0
        if count and (not sizes or sizes[-1] != count):
            sizes.append(count)
        return count

    with start_ranks(config, disturbed) as ranks:
        wait_until(lambda: size() == 3, ranks, "checkpoint of 3 ranks")
        time.sleep(rng.uniform(0.0, 0.5))
        victims = rank_processes(disturbed)
        victims[int(rng.integers(3))].send_signal(how)
        wait_until(lambda: size() == 2, ranks, "checkpoint of 2 ranks")
        wait_until(lambda: size() == 3, ranks, "checkpoint of 3 ranks again")
        planted_environment(disturbed)
        (disturbed / run_files.STOP).touch()
        assert ranks.wait(WAIT_S) is not None
    assert sizes == [3, 2, 3]
    assert rank_processes(disturbed) == {}
    newest = checkpoints.latest(disturbed / run_files.CHECKPOINTS)
    steps = checkpoints.load(newest).step

    whole = make_config(budget={"steps": steps}, cluster=cluster | {"ranks": 1}, **sections)
    train(whole, tmp_path / "whole")
    found = read_records(disturbed / run_files.METRICS)
    assert [r.step for r in found] == sorted({r.step for r in found})
    expected = losses(tmp_path / "whole")
    np.testing.assert_allclose(losses(disturbed), expected[: len(losses(disturbed))], rtol=1e-5)
    np.testing.assert_allclose(
        final_weights(disturbed), final_weights(tmp_path / "whole"), atol=2e-5
    )


def test_a_loss_that_is_not_finite_is_traced_to_its_rank(make_config, start_ranks, tmp_path):
    """One voxel of the image is NaN, and only the last node begins where it is."""
    prepared = prepare(make_config())
    volume, dataset = prepared.data.image.rsplit(":", 1)
    with h5py.File(volume) as file:
        shape, labels = file[dataset].shape, file[prepared.data.labels.rsplit(":", 1)[1]][...]
    image = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    path = tmp_path / "volume.h5"

    def config(image: np.ndarray, **sections):
        with h5py.File(path, "w") as file:
            file["image"], file["labels"] = image, labels
        names = {"image": f"{path}:image", "labels": f"{path}:labels", "mean": 0.0, "stddev": 1.0}
        return make_config(data={"kind": "files"} | names, **sections)

    # Voxels that hold their own index tell where each node begins.
    source, _ = canvas_sources(prepare(config(image)))
    starts = [ExampleStream(source, make_config().seed, node, 0) for node in range(4)]
    for stream in starts:
        stream.advance()  # as the first step does
    windows = [stream.canvas.image[stream.window] for stream in starts]
    poisoned = windows[3][2:5, 2:5, 2:5].astype(int)
    assert [np.isin(poisoned, window).any() for window in windows] == [False, False, False, True]
    image = np.random.default_rng(0).standard_normal(shape, np.float32)
    image.flat[poisoned] = 3e38  # finite, as voxels must be, but not what a network makes of them

    run_dir = tmp_path / "run"
    with start_ranks(config(image, cluster={"ranks": 2}), run_dir) as ranks:
        assert ranks.wait(WAIT_S) not in (0, None)
    failure = run_files.read_json(run_dir / run_files.FAILURE)
    assert failure["exit_code"] == EXIT_DIVERGED, failure
    assert re.match(
        r"loss is (nan|inf) at step 1, first on rank 1 \(node 3\); last good checkpoint: none",
        failure["message"],
    )


@contextlib.contextmanager
def small_disk(folder: Path):
    """A disk of one megabyte where we may mount one; else None, and a limit on files has to do."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and shutil.which("mount") and not subprocess.run(command).returncode
    try:
        yield mounted
    finally:
        if mounted:
            # Lazily: what runs beside this test may look into the folder at the wrong moment.
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_leaves_the_checkpoint_and_says_so(
    make_config, start_ranks, train_here, tmp_path
):
    config = make_config(
        budget=FOREVER,
        cluster={"threads_per_rank": 1},
        checkpoint={"every_fovs": 400},
        report={"every_fovs": 4 * 10**6},
        validation={"canvases": 0},
    )
    disk = tmp_path / "disk"
    with small_disk(disk) as mounted:
        run_dir = disk / "run"
        with start_ranks(config, run_dir) as ranks:
            folder = run_dir / run_files.CHECKPOINTS
            wait_until(lambda: checkpoints.latest(folder), ranks, "checkpoint")
            if mounted:
                with contextlib.suppress(OSError), (disk / "filler").open("wb", 0) as filler:
                    while True:
                        filler.write(bytes(4096))
            else:
                (process,) = rank_processes(run_dir).values()
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1000, 1000))
            assert ranks.wait(WAIT_S) == EXIT_INPUT, ranks.log_tail(40)
        newest = checkpoints.latest(folder)
        step = checkpoints.load(newest).step
        assert len(checkpoints.load_streams(newest, range(4)).states) == 4
        message = run_files.read_json(run_dir / run_files.FAILURE)["message"]
        assert "earlier ones are intact: free space and repeat the command" in message
        assert "\n" not in message
        assert not list(folder.glob(".*"))

        (disk / "filler").unlink(missing_ok=True)
        (run_dir / run_files.FAILURE).unlink()
        train_here(make_config(budget={"steps": step + 5}), run_dir)


def test_sigterm_to_a_rank_ends_it_with_a_checkpoint_and_its_own_exit_code(
    make_config, start_ranks, tmp_path
):
    with start_ranks(make_config(budget=FOREVER), tmp_path) as ranks:
        wait_until(lambda: step_of(tmp_path) > 5, ranks, "training")
        rank_processes(tmp_path)[0].terminate()
        assert ranks.wait(WAIT_S) == EXIT_STOPPED == 75
    assert checkpoints.load(checkpoints.latest(tmp_path / run_files.CHECKPOINTS)).step > 5
    assert not (tmp_path / run_files.FAILURE).exists()
