"""Ranks that a launcher starts each alone, as Horovod does not know it: an error, not a run."""

import shutil
import sys

import pytest

from experiments import train
from experiments.reporting import run_files

pytestmark = [
    pytest.mark.ranks,
    pytest.mark.skipif(shutil.which("mpirun") is None, reason="needs Open MPI's mpirun"),
]


def test_ranks_of_mpirun_without_mpi_in_horovod(monkeypatch, tmp_path, micro_overrides, capfd):
    import horovod.tensorflow as hvd

    if hvd.mpi_built():
        pytest.skip("this Horovod understands mpirun")
    monkeypatch.chdir(tmp_path)
    overrides = ["launcher=mpi", "launcher.arguments=[--oversubscribe]", "cluster.ranks=2"]
    monkeypatch.setattr(sys, "argv", ["train", *micro_overrides, "budget.steps=4", *overrides])
    assert train.main() == 1
    lines = capfd.readouterr().err.splitlines()
    (said,) = [line for line in lines if "failed" in line]
    assert "2 Horovod ranks were asked for, but this process sees 1" in said
    assert "the launcher and the MPI that Horovod was built with do not match" in said
    (run_dir,) = (tmp_path / "runs/test").iterdir()
    assert not (run_dir / run_files.RESULT).exists()
    assert not (run_dir / run_files.METRICS).exists()
