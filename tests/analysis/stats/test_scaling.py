import math

import pandas as pd
import pytest

from analysis.reference import published
from analysis.stats.scaling import scaling_series, strong_scaling_table, weak_scaling_table


def test_weak_table_is_relative_to_the_smallest_node_count():
    measured = pd.DataFrame({"nodes": [4, 2, 8, 2], "fovs_per_second": [18.0, 9.0, 30.0, 11.0]})
    table = weak_scaling_table(measured).set_index("nodes")
    assert table.index.tolist() == [2, 4, 8]
    assert table["baseline_nodes"].tolist() == [2, 2, 2]
    assert table["fovs_per_second"].tolist() == [10, 18, 30]
    assert table["ideal_fovs_per_second"].tolist() == [10, 20, 40]
    assert table["speedup"].tolist() == pytest.approx([1, 1.8, 3])
    assert table["parallel_efficiency"].tolist() == pytest.approx([1, 0.9, 0.75])
    assert table["repeats"].tolist() == [2, 1, 1]
    assert math.isnan(table.loc[2, "parallel_efficiency_low"])
    assert math.isnan(table.loc[4, "parallel_efficiency_low"])


def test_weak_table_reproduces_the_published_efficiencies():
    reference = published.throughput()
    table = weak_scaling_table(reference)
    # Both columns are rounded to four digits.
    expected = reference["parallel_efficiency"].tolist()
    assert table["parallel_efficiency"].tolist() == pytest.approx(expected, abs=3e-4)


def test_repeats_bound_the_efficiency():
    measured = pd.DataFrame(
        {"nodes": [1, 1, 1, 2, 2, 2], "fovs_per_second": [9.9, 10.0, 10.1, 17.8, 18.0, 18.2]}
    )
    row = weak_scaling_table(measured).iloc[1]
    assert row["parallel_efficiency"] == pytest.approx(0.9)
    assert 0.86 < row["parallel_efficiency_low"] < 0.9 < row["parallel_efficiency_high"] < 0.94


def test_strong_table_by_hand():
    measured = pd.DataFrame({"nodes": [1, 4, 1, 4], "time_s": [90.0, 30.0, 110.0, 30.0]})
    table = strong_scaling_table(measured)
    assert table["time_s"].tolist() == [100, 30]
    assert table["ideal_time_s"].tolist() == [100, 25]
    assert table["speedup"].tolist() == pytest.approx([1, 10 / 3])
    assert table["parallel_efficiency"].tolist() == pytest.approx([1, 10 / 12])


def test_nothing_to_tabulate():
    with pytest.raises(ValueError, match="no fovs_per_second"):
        weak_scaling_table(pd.DataFrame({"nodes": [1], "fovs_per_second": [math.nan]}))


def test_series_are_found_by_what_stays_fixed():
    points = pd.DataFrame(
        {
            "nodes": [1, 2, 1, 2, 4],
            "local_batch_size": [1, 1, 8, 4, 2],
            "fovs_per_second": [10.0, 18.0, 12.0, 21.0, 36.0],
        }
    )
    points["global_batch_size"] = points["nodes"] * points["local_batch_size"]
    weak, strong = scaling_series(points)
    assert (weak.kind, weak.label) == ("weak", "weak, 1 FOV per node")
    assert weak.table["parallel_efficiency"].tolist() == pytest.approx([1, 0.9])
    assert (strong.kind, strong.label) == ("strong", "strong, 8 FOVs in all")
    assert strong.table["parallel_efficiency"].tolist() == pytest.approx([1, 0.875, 0.75])


def test_one_node_count_is_no_series():
    points = pd.DataFrame(
        {
            "nodes": [2, 2],
            "local_batch_size": [1, 1],
            "global_batch_size": [2, 2],
            "fovs_per_second": [1.0, 2.0],
        }
    )
    assert scaling_series(points) == []


def test_a_baseline_may_be_declared():
    measured = pd.DataFrame({"nodes": [1, 2, 4], "fovs_per_second": [10.0, 16.0, 28.0]})
    table = weak_scaling_table(measured, baseline_nodes=2)
    assert table["parallel_efficiency"].tolist() == pytest.approx([1.25, 1, 0.875])
    assert table["speedup"].tolist() == pytest.approx([0.625, 1, 1.75])
    assert table["ideal_fovs_per_second"].tolist() == [8, 16, 32]
    assert table["baseline_nodes"].tolist() == [2, 2, 2]


def test_points_that_shared_the_machine_are_no_series():
    points = pd.DataFrame(
        {
            "nodes": [1, 2, 2],
            "local_batch_size": [1, 1, 1],
            "fovs_per_second": [10.0, 18.0, 9.0],
            "sweep_parallel": [1, 1, 2],
        }
    )
    (weak,) = scaling_series(points)
    assert weak.table["parallel_efficiency"].tolist() == pytest.approx([1, 0.9])
    assert scaling_series(points.assign(sweep_parallel=2)) == []
