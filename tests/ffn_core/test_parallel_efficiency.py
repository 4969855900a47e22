import pytest

from ffn_core.parallel_efficiency import (
    STRONG,
    WEAK,
    NodeCount,
    ScalingPoint,
    mean_rate,
    node_counts,
    overall_rate,
    parallel_efficiency,
    scaling_curves,
)


def test_weak_efficiency_by_hand():
    """fps(8) = 30 where 4 times fps(2) = 10 would be ideal."""
    assert parallel_efficiency(8, 30.0, 2, 10.0) == pytest.approx(0.75)


def test_strong_efficiency_by_hand():
    """100 s on 2 nodes, 40 s on 8: T0 N0 / (T N) = 200 / 320."""
    assert parallel_efficiency(8, 1 / 40, 2, 1 / 100) == pytest.approx(0.625)


def test_repeats_are_averaged_as_rates_or_as_times():
    assert mean_rate(WEAK, [9.0, 11.0]) == 10.0
    assert 1 / mean_rate(STRONG, [1 / 90, 1 / 110]) == pytest.approx(100.0)


def test_rate_of_a_run_is_fovs_over_seconds():
    """100 FOVs at 10 a second and 100 at 40: 200 in 12.5 s."""
    assert overall_rate([10.0, 40.0]) == pytest.approx(16.0)


def test_node_counts_are_relative_to_the_smallest_or_the_declared():
    nodes, rates = [4, 2, 8, 2], [18.0, 9.0, 30.0, 11.0]
    assert node_counts(WEAK, nodes, rates) == (
        NodeCount(2, 2, 10.0, 1.0, 1.0, 2),
        NodeCount(4, 1, 18.0, 1.8, pytest.approx(0.9), 2),
        NodeCount(8, 1, 30.0, 3.0, pytest.approx(0.75), 2),
    )
    first, second, third = node_counts(WEAK, nodes, rates, baseline_nodes=4)
    assert first.parallel_efficiency == pytest.approx(10 / 9)
    assert (second.speedup, second.parallel_efficiency) == (1.0, 1.0)
    assert third.parallel_efficiency == pytest.approx(30 / 36)


def test_there_must_be_a_baseline():
    with pytest.raises(ValueError, match=r"no run on 3 nodes to compare with; there are: \[1, 2\]"):
        node_counts(WEAK, [1, 2], [1.0, 2.0], baseline_nodes=3)
    with pytest.raises(ValueError, match="no run"):
        node_counts(WEAK, [], [])


def test_curves_are_found_by_what_stays_fixed():
    points = [
        ScalingPoint(1, 1, 10.0),
        ScalingPoint(2, 1, 18.0),
        ScalingPoint(1, 8, 12.0),
        ScalingPoint(2, 4, 21.0),
        ScalingPoint(4, 2, 36.0),
    ]
    weak, strong = scaling_curves(points)
    assert (weak.kind, weak.batch_size, weak.members) == (WEAK, 1, (0, 1))
    assert (strong.kind, strong.batch_size, strong.members) == (STRONG, 8, (2, 3, 4))
    found = [c.parallel_efficiency for c in strong.node_counts]
    assert found == pytest.approx([1, 0.875, 0.75])


def test_other_work_is_another_curve_and_one_node_count_is_none():
    tiny, small = ("tiny", None), ("small", 2)
    points = [ScalingPoint(n, 1, 10.0 * n, work) for work in (tiny, small) for n in (1, 2)]
    points.append(ScalingPoint(4, 1, 9.0, ("paper", 1)))
    assert [curve.work for curve in scaling_curves(points)] == [small, tiny]
    assert scaling_curves([ScalingPoint(2, 1, 1.0), ScalingPoint(2, 1, 2.0)]) == []


def test_a_curve_without_the_declared_baseline_is_left_out():
    points = [ScalingPoint(n, batch, 10.0 * n) for n, batch in ((1, 1), (2, 1), (2, 3), (4, 3))]
    assert [c.batch_size for c in scaling_curves(points)] == [1, 3]
    assert [c.batch_size for c in scaling_curves(points, baseline_nodes=1)] == [1]


def test_a_point_by_itself_is_relative_to_the_mean_of_the_baseline():
    points = [ScalingPoint(1, 1, 9.0), ScalingPoint(1, 1, 11.0), ScalingPoint(2, 1, 15.0)]
    (curve,) = scaling_curves(points)
    mine = [curve.of_point(point) for point in points]
    assert [one.parallel_efficiency for one in mine] == pytest.approx([0.9, 1.1, 0.75])
    assert [one.speedup for one in mine] == pytest.approx([0.9, 1.1, 1.5])
