import numpy as np
import pandas as pd
import pytest

from analysis.models.model_average import published_throughput
from analysis.predict import main
from analysis.prediction.answer import assumptions
from analysis.prediction.inputs import measured_throughput, training_cost
from ffn_core.errors import InputError

# F1 rises linearly to 1 over E = 4000 (1 + B/64) FOVs: it passes 0.8 at 0.8 E.
FOVS_TO_ONE = 4000


def curve(nodes: int, ranks: int, f1_scale: float = 1.0):
    fovs = FOVS_TO_ONE * (1 + nodes / 64)
    at = np.linspace(0, fovs, 41)[1:]
    rate = 10.0 * ranks
    return {
        "validation/f1": [(round(f), f1_scale * f / fovs) for f in at],
        "time/elapsed_s": [(round(f), f / rate) for f in at],
        "optimizer_step": [(round(f), f / nodes) for f in at],
        "throughput/fovs_per_second": [(round(f), rate) for f in at],
    }


@pytest.fixture(scope="module")
def study(make_runs):
    training = [
        (
            {"nodes": nodes, "ranks": min(nodes, 2), "seed": seed, "experiment": "batch_size"},
            curve(nodes, min(nodes, 2)),
        )
        for nodes in (1, 8, 64)
        for seed in (1, 2)
    ]
    scaling = [
        (
            {"nodes": nodes, "seed": 1, "experiment": "weak_scaling"},
            {"throughput/fovs_per_second": [(100, 10.0 * nodes)]},
        )
        for nodes in (1, 2, 4, 8)
    ]
    return make_runs(*training, *scaling)


@pytest.fixture(scope="module")
def recorded(study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded")
    study.to_csv(folder)
    return str(folder)


def test_fovs_to_the_target_are_fitted_over_the_batch_sizes(study):
    cost = training_cost(study, None, 0.8)
    assert (cost.experiment, cost.local_batch_size, cost.missed) == ("batch_size", 1, ())
    assert cost.fit.min_fovs == pytest.approx(FOVS_TO_ONE * 0.8, rel=0.01)
    assert cost.fit.batch_size == pytest.approx(64, rel=0.02)


def test_measured_throughput_takes_real_nodes_of_the_same_network(study, make_runs):
    cost = training_cost(study, "batch_size", 0.8)
    model = measured_throughput(study, cost.runs)
    assert sorted(set(model.nodes)) == [1, 2, 4, 8]
    assert model.throughput([64])[0] == pytest.approx(640, rel=1e-3)
    assert "weak_scaling" in model.source
    with pytest.raises(InputError, match=r"real node counts .* none \(0 runs\)"):
        measured_throughput(study, cost.runs.assign(local_batch_size=7))


def test_a_count_that_missed_the_target_is_named_and_needs_more(make_runs):
    points = [({"nodes": n, "ranks": 1}, curve(n, 1)) for n in (1, 8, 64)]
    runs = make_runs(*points, ({"nodes": 256, "ranks": 1}, curve(256, 1, 0.7)))
    cost = training_cost(runs, None, 0.8)
    assert cost.missed == (256,)
    assert (cost.fit.count, cost.fit.missed, cost.fit.largest) == (3, 1, 256)
    without = training_cost(make_runs(*points), None, 0.8)
    assert cost.fit.fovs(256) > 1.1 * without.fit.fovs(256)


def test_the_averaged_weights_decide_and_a_target_below_the_baseline_is_named(make_runs):
    """Of the raw weights no run would reach the target."""

    def point(nodes):
        raw = curve(nodes, 1)
        rise = raw.pop("validation/f1")
        jumping = [(fovs, 0.1) for fovs, _ in rise]
        scores = {"averaged/f1": rise, "validation/f1": jumping, "baseline/f1": [(0, 0.85)]}
        return {"nodes": nodes, "ranks": 1}, raw | scores

    cost = training_cost(make_runs(*(point(n) for n in (1, 8, 64))), None, 0.8)
    assert cost.fit.min_fovs == pytest.approx(FOVS_TO_ONE * 0.8, rel=0.01)
    said = assumptions(published_throughput(), cost)
    assert "F1 is validation F1 of the averaged weights" in said[0]
    assert said[1] == "F1 0.8 takes no learning: calling every voxel object gives 0.850."


def test_a_target_never_reached_names_the_highest(study):
    with pytest.raises(InputError, match=r"reached F1 1.01 .* the highest is 1.000: lower --f1"):
        training_cost(study, None, 1.01)


def test_one_batch_size_is_too_few(make_runs):
    runs = make_runs(
        ({"nodes": 1}, curve(1, 1)), ({"nodes": 8, "ranks": 1}, curve(8, 1, f1_scale=0.5))
    )
    with pytest.raises(InputError, match=r"there are: 1 \(missed at: 8\)"):
        training_cost(runs, None, 0.8)


def test_several_experiments_that_could_answer_must_be_named(make_runs):
    points = [
        ({"nodes": nodes, "ranks": 1, "experiment": name}, curve(nodes, 1))
        for name in ("a", "b")
        for nodes in (1, 8)
    ]
    with pytest.raises(InputError, match="name one with --experiment: a, b"):
        training_cost(make_runs(*points), None, 0.8)


def test_command_answers_with_nodes_hours_and_cost(recorded, tmp_path, capsys):
    # hours(N) = 4000 (0.8) / 36000 (1/N + 1/64) = 0.0889 (...): 11 nodes take 0.00947 h = 34 s.
    options = ["--recorded", recorded, "--f1", "0.8", "--hours", "0.01", "--price", "2"]
    assert main([*options, "--most-nodes", "64", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "F1 0.8 within 36 s: 11 nodes, 34 s" in printed
    assert "outside what was tried: throughput" in printed
    assert "Assumptions:" in printed
    table = pd.read_csv(tmp_path / "prediction.csv")
    assert table["nodes"].tolist() == [1, 2, 4, 8, 16, 32, 64]
    expected = FOVS_TO_ONE * 0.8 / 36000 * (1 / 8 + 1 / 64)
    assert table.loc[3, "hours"] == pytest.approx(expected, rel=0.02)
    assert table.loc[3, "node_hours"] == pytest.approx(8 * expected, rel=0.02)
    for name in ("prediction", "models"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert f"![{name}]" in (tmp_path / "captions.md").read_text()


def test_published_efficiency_on_nodes_of_a_given_speed(recorded, capsys):
    options = ["--recorded", recorded, "--f1", "0.8", "--hours", "0.0001"]
    options += ["--throughput", "published", "--node-fovs-per-second", "10"]
    assert main(options) == 0
    printed = capsys.readouterr().out
    assert "on no node count up to 2048; the shortest time is" in printed
    assert "10 FOVs/s per node at 1 node; that speed is given" in printed


def test_several_targets_a_budget_and_a_plan(recorded, capsys):
    options = ["--recorded", recorded, "--f1", "0.8,0.4", "--hours", "0.05", "--price", "100"]
    assert main([*options, "--currency", "EUR", "--budget", "9.95", "--most-nodes", "64"]) == 0
    printed = capsys.readouterr().out
    assert printed.index("F1 0.4 with the recipes") < printed.index("F1 0.8 with the recipes")
    assert "*: within 3 min and 9.95 EUR" in printed
    # Node-hours of N nodes: 0.0889 (1 + N/64), of which 9.95 EUR pay for 0.0995: N is up to 7.6.
    assert "Fastest for 9.95 EUR: 7 nodes" in printed
    assert "Best plan in stages, modeled" in printed
    assert "'stages=[{nodes:" in printed
    assert main([*options, "--budget", "1"]) == 0
    assert "; the least it costs is 9.0" in capsys.readouterr().out


def test_without_a_target_it_is_the_highest_that_half_of_the_counts_reached(recorded, capsys):
    assert main(["--recorded", recorded]) == 0
    assert "F1 1 with the recipes of batch_size" in capsys.readouterr().out


def test_scaling_that_was_not_measured_is_published_and_says_so(study, tmp_path, capsys):
    study.select(study.table["experiment"] == "batch_size").to_csv(tmp_path)
    options = ["--recorded", str(tmp_path), "--f1", "0.8"]
    assert main(options) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "published, arXiv:1905.06236" in printed
    assert "Scaling is not measured here: a scaling model takes three node counts" in printed
    assert main([*options, "--throughput", "measured"]) == 2
    assert "experiment=weak_scaling" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--f1", "1.2", "--hours", "1"], "--f1: 1.2 must be a number above 0 and below 1"),
        (["--f1", "0.5,x"], "--f1: 0.5,x must be a number above 0 and below 1, or several"),
        (["--f1", "0.1,0.2,0.3,0.4"], "--f1: 0.1,0.2,0.3,0.4 are more than 3 scores"),
        (["--f1", "0.8", "--budget", "5"], "--budget 5 needs the price of a node-hour"),
        (["--f1", "0.8", "--hours", "nan"], "--hours: nan must be a number from"),
        (["--f1", "0.8", "--hours", "1", "--price", "-1"], "--price: -1 must be a number from 0"),
        (["--f1", "0.8", "--hours", "1", "--experiment", "x"], "no experiment 'x'; there are:"),
        (
            ["--f1", "0.8", "--hours", "1", "--most-nodes", "0"],
            "--most-nodes: 0 must be an integer",
        ),
    ],
)
def test_bad_input_ends_with_one_line_and_code_2(recorded, capsys, options, message):
    try:
        code = main(["--recorded", recorded, *options])
    except SystemExit as end:  # of the parser
        code = end.code
    assert code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {message}")
    assert error.count("\n") == 1


def test_a_folder_of_studies_is_read_like_one_study(study, recorded, tmp_path, capsys):
    for name in study.experiments():
        study.select(study.table["experiment"] == name).to_csv(tmp_path / name)
    options = ["--f1", "0.8", "--hours", "0.01", "--recorded"]
    assert main([*options, recorded]) == 0
    one = capsys.readouterr().out
    assert main([*options, str(tmp_path)]) == 0
    assert capsys.readouterr().out == one


def test_nothing_recorded_there(tmp_path, capsys):
    assert main(["--f1", "0.8", "--hours", "1", "--recorded", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"error: no recorded runs in {tmp_path}")
