import math

import pandas as pd
import pytest

from analysis.stats.step_time import slowest_shares, wait_table


def test_shares_of_every_rank_sum_to_one():
    records = pd.DataFrame({"ranks": [2] * 4 + [3] * 2, "value": [0, 0, 1, 0, 2, 2]})
    table = slowest_shares(records)
    assert table["rank"].tolist() == [0, 1, 0, 1, 2]
    assert table["share"].tolist() == [0.75, 0.25, 0, 0, 1]
    assert table["records"].tolist() == [4, 4, 2, 2, 2]


def test_waits_are_shares_of_the_step():
    points = pd.DataFrame(
        {
            "ranks": [2, 2, 4, 4],
            "straggler_wait_s": [0.1, 0.3, 0.5, math.nan],
            "step_s": [1.0, 1.0, 2.0, 1.0],
        }
    )
    two, four = wait_table(points).to_dict("records")
    assert two["share"] == pytest.approx(0.2)
    assert two["low"] < 0.1 < 0.3 < two["high"]
    assert (four["share"], four["runs"]) == (0.25, 1)
    assert math.isnan(four["low"])


def test_no_records_give_an_empty_table():
    assert slowest_shares(pd.DataFrame({"ranks": [], "value": []})).empty
