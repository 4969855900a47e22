import math

import pandas as pd
import pytest

from analysis.verdicts.seed_intervals import (
    contrast,
    contrast_table,
    death_contrast,
    mean_over_nodes,
    score_contrast,
)


def points(scores, dead=()):
    """Rows (seed, nodes, score); a seed in `dead` has died."""
    rows = pd.DataFrame(scores, columns=["seed", "nodes", "score"])
    return rows.assign(auc=rows["score"] / 2, dead=rows["seed"].isin(dead))


def test_contrasts_are_paired_by_seed_and_nodes():
    first = points([(1, 4, 0.8), (1, 64, 0.5), (2, 4, 0.7), (3, 4, 1.0)])
    second = points([(2, 4, 0.6), (1, 4, 0.5), (1, 64, 0.9)])
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


def test_pairs_in_which_one_died_are_left_out_and_counted():
    first = points([(s, 64, 0.8 + s / 100) for s in range(1, 5)], dead=(4,))
    second = points([(s, 64, 0.7) for s in range(1, 5)])
    found = score_contrast(first, second)
    assert found.effect.value == pytest.approx(0.12)
    assert found.effect.count == 3
    assert found.co_primary.value == pytest.approx(0.06)
    assert "1 of 4 pairs left out, in which one died" in found.basis
    assert found.evidence[["died", "of", "other_died", "other_of"]].iloc[0].tolist() == [1, 4, 0, 4]


def test_when_all_died_there_is_no_score_and_there_are_deaths():
    first = points([(s, 64, 0.0) for s in (1, 2, 3)], dead=(1, 2, 3))
    second = points([(s, 64, 0.7) for s in (1, 2, 3)])
    lost = score_contrast(first, second).effect
    assert (lost.value, lost.reason) == (None, "no pair survived at nodes 64")
    deaths = death_contrast(first, second)
    assert deaths.effect.value == 1.0
    assert deaths.basis == "3 of 3 died against 0 of 3"
