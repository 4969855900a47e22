"""The table of real nodes, from runs whose efficiencies are known."""

from analysis.results.scaling_rows import scaling_rows


def point(experiment, nodes, seed, rate, coupling=None):
    columns = {"experiment": experiment, "nodes": nodes, "ranks": nodes, "seed": seed}
    columns |= {"emulated": False, "local_batch_size": 8, "global_batch_size": 8 * nodes}
    metrics = {"throughput/fovs_per_second": [(100, rate)]}
    if coupling is not None:
        metrics["scaling/coupling_efficiency"] = [(100, coupling)]
    return columns, metrics


def test_efficiencies_of_curves_and_of_coupling(make_runs):
    weak = [
        point("weak", n, s, r) for n, s, r in ((1, 1, 99), (1, 2, 101), (2, 1, 159), (2, 2, 161))
    ]
    tried = [point("both", 2, seed, 150, coupling) for seed, coupling in ((1, 0.88), (2, 0.92))]
    emulated = [(weak[0][0] | {"nodes": 64, "emulated": True}, weak[0][1])]
    table = scaling_rows({"weak": make_runs(*weak, *emulated), "both": make_runs(*tried)})
    curve = table[table["study"] == "`weak`"]
    assert curve["nodes"].tolist() == [1, 2]
    assert curve["FOVs/s"].tolist() == [100, 160]
    efficiency = curve["efficiency (95 % interval)"].tolist()
    assert efficiency[0] == "1"
    assert efficiency[1].startswith("0.8 (")
    (coupled,) = table[table["scaling"].str.startswith("coupled")].to_dict("records")
    assert (coupled["nodes"], coupled["runs"]) == (2, 2)
    assert coupled["scaling"] == "coupled over uncoupled, 8 FOVs per node"
    assert coupled["efficiency (95 % interval)"].startswith("0.9 (0.646 to 1.15")


def test_without_real_runs_there_is_no_table():
    assert scaling_rows({}).empty
