import numpy as np
import pytest
from scipy import stats

from analysis.stats.hypothesis_tests import Deaths
from analysis.stats.power import (
    deaths_that_decide,
    detectable_difference,
    power_of_difference,
    power_of_equivalence,
    runs_for_deaths,
    seeds_needed,
)


def test_textbook_sample_size_of_a_paired_t_test():
    # Effect size 0.5, 5 % two-sided, 80 %: 34 pairs (Cohen 1988; G*Power).
    assert seeds_needed(0.5, 1.0) == 34
    assert power_of_difference(0.5, 1.0, 34) > 0.8 > power_of_difference(0.5, 1.0, 33)


def test_eight_seeds_see_what_the_plan_says():
    assert detectable_difference(0.03, 8) == pytest.approx(0.035, abs=5e-4)
    assert detectable_difference(0.05, 8) == pytest.approx(0.058, abs=5e-4)


def test_power_of_equivalence_is_that_of_simulated_seeds():
    rng = np.random.default_rng(0)
    seeds = rng.normal(0, 0.04, (20_000, 8))
    half = stats.t.ppf(0.975, 7) * seeds.std(axis=1, ddof=1) / np.sqrt(8)
    within = (abs(seeds.mean(axis=1)) + half < 0.05).mean()
    assert power_of_equivalence(0.05, 0.04, 8) == pytest.approx(within, abs=0.015)


def test_edge_cases_are_none_or_small():
    assert seeds_needed(0.0, 1.0) is None
    assert seeds_needed(1e-6, 1.0) is None
    assert seeds_needed(1.0, 0.0) == 2
    assert detectable_difference(0.1, 1) is None
    assert detectable_difference(0.0, 8) == 0
    assert runs_for_deaths(Deaths(0, 8, 0, 8)) is None


def test_deaths():
    assert deaths_that_decide(8) == 5
    assert deaths_that_decide(3) is None
    assert runs_for_deaths(Deaths(2, 8, 0, 8)) > 8
