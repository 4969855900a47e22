import math

import numpy as np
import pandas as pd
import pytest

from analysis.claims.seed_intervals import contrast, contrast_table, mean_over_nodes, seed_interval
from analysis.claims.verdict import (
    NOT_SUPPORTED,
    SUPPORTED,
    UNDECIDED,
    decide,
    decide_within,
    power_of_two,
)
from analysis.stats.intervals import Interval


@pytest.mark.parametrize("seeds", [3, 5])
def test_the_interval_covers_the_truth_about_as_often_as_it_says(seeds):
    rng = np.random.default_rng(0)
    covered = sum(
        one.low <= 0.3 <= one.high
        for one in (seed_interval(rng.normal(0.3, 0.1, seeds)) for _ in range(400))
    )
    # The plain percentile interval of three values covers three times in four at best.
    assert 0.92 <= covered / 400 <= 0.99


def test_one_seed_has_no_interval_and_equal_seeds_a_point():
    assert math.isnan(seed_interval([0.5]).low)
    assert seed_interval([0.5, 0.5, 0.5]) == Interval(0.5, 0.5, 0.5, 3)
    assert seed_interval([]).count == 0


def test_contrasts_are_paired_by_seed_and_nodes():
    first = pd.DataFrame(
        {"seed": [1, 1, 2, 3], "nodes": [4, 64, 4, 4], "score": [0.8, 0.5, 0.7, 1]}
    )
    second = pd.DataFrame({"seed": [2, 1, 1], "nodes": [4, 4, 64], "score": [0.6, 0.5, 0.9]})
    difference = contrast(first, second)
    assert difference.loc[1].tolist() == pytest.approx([0.3, -0.4])
    assert difference.loc[2, 4] == pytest.approx(0.1)
    assert 3 not in difference.index
    # Seed 2 lacks 64 nodes: its mean would be over other counts than that of seed 1.
    assert mean_over_nodes(difference).to_dict() == pytest.approx({1: -0.05})
    table = contrast_table(difference)
    assert table["difference"].tolist() == pytest.approx([0.2, -0.4])
    assert table["seeds"].tolist() == [2, 1]
    assert math.isnan(table["low"].iloc[1])


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.01, 0.3, SUPPORTED),
        (-0.01, 0.3, UNDECIDED),
        (-0.3, 0.019, NOT_SUPPORTED),
        (0.001, 0.01, NOT_SUPPORTED),  # beyond doubt, but too small to matter
        (-0.3, 0.05, UNDECIDED),
        (math.nan, math.nan, UNDECIDED),
    ],
)
def test_decide(low, high, expected):
    effect = Interval((low + high) / 2, low, high, 3)
    assert decide(effect, supported_above=0.0, refuted_below=0.02) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.5, 0.5, SUPPORTED),
        (1.1, 2.0, NOT_SUPPORTED),
        (-3.0, -1.5, NOT_SUPPORTED),
        (0.5, 1.5, UNDECIDED),
        (math.nan, math.nan, UNDECIDED),
    ],
)
def test_decide_within(low, high, expected):
    assert decide_within(Interval(0.0, low, high, 3), -1.0, 1.0) == expected


def test_power_of_two():
    assert power_of_two(Interval(1.0, 0.0, 2.0, 3)) == Interval(2.0, 1.0, 4.0, 3)
