"""The whole cost-to-target estimator on simulated runs whose critical batch is known."""

import numpy as np
import pytest

from analysis.models.critical_batch import fit_runs
from analysis.models.simulated_targets import KNOWN, METRIC, Simulation, main, recovery
from analysis.stats.targets import targets_table


@pytest.mark.parametrize("critical", KNOWN)
def test_a_known_critical_batch_is_recovered(critical):
    found = recovery(Simulation(critical), replicates=12)
    assert found["off"] == pytest.approx(1, abs=0.15)
    assert found["covered"] >= 10 / 12


def test_a_target_crossed_without_noise_is_crossed_where_it_was_put():
    simulation = Simulation(50.0, noise=0.0, scatter=0.0, seeds=1)
    runs = simulation.runs(np.random.default_rng(0))
    table = targets_table(runs, METRIC, (simulation.target,), rising=True)
    costs = {f"n{nodes}-s1": simulation.cost(nodes) for nodes in simulation.nodes}
    assert table.set_index("run_id")["fovs"].to_dict() == pytest.approx(costs, rel=5e-3)


def test_the_mean_of_three_evaluations_would_make_large_batches_look_cheap():
    """The estimate of the first edition, on the same runs: what the monotone curve replaces."""
    simulation = Simulation(18.0, min_fovs=2100.0, noise=0.0, every=2000)
    runs = simulation.runs(np.random.default_rng(0))
    lagging = targets_table(runs, METRIC, (simulation.target,), window=3).merge(
        runs.table, on="run_id"
    )
    assert fit_runs(lagging).batch_size > 1.5 * 18


def test_the_check_can_be_run_by_anyone(capsys):
    assert main(["--replicates", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("simulated;")
    assert [float(line.split()[0]) for line in lines[1:]] == list(KNOWN)
