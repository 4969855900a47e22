import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffn_core.errors import InputError
from ffn_core.training.learning_rate import RULES, Cooldown, Schedule, Warmup, scale_factor

rates = st.floats(1e-8, 10.0)


@pytest.mark.parametrize(
    ("rule", "factor"), [("none", 1.0), ("linear", 64.0), ("sqrt", 8.0), ("power", 4.0)]
)
def test_rules_at_64_nodes(rule, factor):
    assert scale_factor(rule, 64, power=1 / 3) == pytest.approx(factor)


@given(st.sampled_from(RULES), st.floats(-2, 2))
def test_one_node_is_never_scaled(rule, power):
    assert scale_factor(rule, 1, power) == 1.0


@given(st.floats(0.1, 1e5), st.floats(0.1, 1e5))
def test_scaling_twice_is_scaling_by_the_product(a, b):
    for rule in RULES:
        product = scale_factor(rule, a, 0.7) * scale_factor(rule, b, 0.7)
        assert scale_factor(rule, a * b, 0.7) == pytest.approx(product)


def test_unknown_rule_lists_the_known_ones():
    with pytest.raises(InputError, match="rule='cubic' is unknown; choose from none, linear, sqrt"):
        scale_factor("cubic", 2)


@pytest.mark.parametrize("workers", [0, -1])
def test_no_nodes(workers):
    with pytest.raises(InputError, match=f"positive number of nodes, got {workers}"):
        scale_factor("linear", workers)


def test_ramp_step_by_step():
    schedule = Schedule(peak=0.8, start=0.0, warmup_steps=4)
    assert [schedule(step) for step in range(6)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8, 0.8])


def test_ramp_from_a_start():
    schedule = Schedule(peak=1.0, start=0.1, warmup_steps=3)
    assert [schedule(step) for step in range(4)] == pytest.approx([0.4, 0.7, 1.0, 1.0])


def test_no_warmup_is_the_peak_from_the_first_step():
    assert [Schedule(peak=0.5)(step) for step in (0, 1, 10**9)] == [0.5, 0.5, 0.5]


@given(rates, rates, st.integers(0, 1000), st.integers(0, 2000))
def test_ramp_is_monotone_and_ends_at_the_peak(peak, start, warmup_steps, step):
    schedule = Schedule(peak, start, warmup_steps)
    low, high = sorted((peak, start))
    slack = 1e-12 * high
    assert low - slack <= schedule(step) <= high + slack
    assert abs(schedule(step + 1) - peak) <= abs(schedule(step) - peak) + slack
    assert schedule(max(0, warmup_steps - 1)) == pytest.approx(peak)


@pytest.mark.parametrize(
    ("warmup", "steps"),
    [
        (Warmup(), 0),
        (Warmup(steps=7), 7),
        (Warmup(fovs=64), 2),
        (Warmup(fovs=65), 3),
        (Warmup(fraction=0.1), 10),
        (Warmup(fraction=0.101), 11),
        (Warmup(fraction=0.0), 0),
        (Warmup(fraction=1.0), 100),
    ],
)
def test_units_in_steps(warmup, steps):
    assert warmup.in_steps(fovs_per_step=32, budget_steps=100) == steps


@given(st.integers(0, 100))
def test_whole_percentages_of_100_steps_are_exact(percent):
    assert Warmup(fraction=percent / 100).in_steps(1, budget_steps=100) == percent


@given(st.integers(0, 10**7), st.integers(1, 10**4))
def test_fovs_are_rounded_up_by_less_than_a_step(fovs, fovs_per_step):
    steps = Warmup(fovs=fovs).in_steps(fovs_per_step, None)
    assert 0 <= steps * fovs_per_step - fovs < fovs_per_step


def test_a_fraction_needs_a_known_length():
    with pytest.raises(InputError, match=r"warmup.fraction=0.1 needs a budget in steps or fovs"):
        Warmup(fraction=0.1).in_steps(32, budget_steps=None)


def test_two_units():
    with pytest.raises(InputError, match=r"warmup.steps=0 .*warmup.fovs=5: keep one unit"):
        Warmup(steps=0, fovs=5)


@pytest.mark.parametrize(("unit", "value"), [("steps", -1), ("fovs", -5), ("fraction", 1.5)])
def test_out_of_range(unit, value):
    with pytest.raises(InputError, match=rf"learning_rate\.warmup\.{unit}={value} must be"):
        Warmup(**{unit: value})


def test_what_is_given():
    assert not Warmup().given
    assert not Warmup(steps=0).given
    assert Warmup(fraction=0.5).given
    assert [str(w) for w in (Warmup(), Warmup(steps=0), Warmup(fovs=9))] == [
        "none",
        "0 steps",
        "9 fovs",
    ]


def test_cooldown_step_by_step():
    schedule = Schedule(peak=0.8, warmup_steps=2, cooldown_steps=4, total_steps=8)
    rates = [0.4, 0.8, 0.8, 0.8, 0.8, 0.6, 0.4, 0.2]
    assert [schedule(step) for step in range(8)] == pytest.approx(rates)
    assert schedule(8) == schedule(100) == 0.0


def test_the_two_ramps_may_meet_but_not_overlap():
    schedule = Schedule(peak=1.0, warmup_steps=2, cooldown_steps=2, total_steps=4)
    assert [schedule(step) for step in range(4)] == [0.5, 1.0, 1.0, 0.5]
    with pytest.raises(InputError, match=r"warmup takes 3 .*cooldown 2 of the run's 4 steps"):
        Schedule(peak=1.0, warmup_steps=3, cooldown_steps=2, total_steps=4)
    Schedule(peak=1.0, warmup_steps=5, total_steps=4)  # a run may end within its warm-up


@given(rates, st.integers(0, 50), st.integers(1, 50), st.integers(0, 50))
def test_cooldown_falls_by_equal_parts_to_zero_after_the_last_step(peak, warm, cool, between):
    total = warm + between + cool
    schedule = Schedule(peak, 0.0, warm, cool, total)
    falling = [schedule(step) for step in range(total - cool, total + 1)]
    assert falling == pytest.approx([peak * left / cool for left in range(cool, -1, -1)])
    plain = Schedule(peak, 0.0, warm)
    assert [schedule(s) for s in range(total - cool)] == [plain(s) for s in range(total - cool)]


@pytest.mark.parametrize(
    ("cooldown", "steps"),
    [(Cooldown(), 0), (Cooldown(steps=7), 7), (Cooldown(fovs=65), 2), (Cooldown(fraction=0.3), 30)],
)
def test_length_of_a_cooldown(cooldown, steps):
    assert cooldown.in_steps(fovs_per_step=32, budget_steps=100) == steps


@given(st.integers(0, 100), st.integers(1, 1000))
def test_fractions_that_fill_the_run_never_overlap(percent, total):
    warm = Warmup(fraction=percent / 100).in_steps(1, total)
    cool = Cooldown(fraction=(100 - percent) / 100).in_steps(1, total)
    assert warm + cool == total
    Schedule(1.0, 0.0, warm, cool, total)


@pytest.mark.parametrize("unit", ["steps", "fovs", "fraction"])
def test_a_cooldown_needs_a_known_end(unit):
    with pytest.raises(InputError, match=f"cooldown.{unit}=1 needs a budget in steps or fovs"):
        Cooldown(**{unit: 1}).in_steps(32, budget_steps=None)
    assert Cooldown().in_steps(32, budget_steps=None) == 0


def test_a_cooldown_is_named_in_its_errors():
    with pytest.raises(InputError, match=r"learning_rate.cooldown.steps=1 .* keep one unit"):
        Cooldown(steps=1, fovs=5)
    with pytest.raises(InputError, match=r"learning_rate.cooldown.fraction=2 must be"):
        Cooldown(fraction=2)


@given(
    st.lists(st.integers(0, 6), min_size=4, max_size=4), st.integers(1, 12), st.sampled_from([1, 2])
)
def test_schedules_agree_where_their_rates_do(ramps, steps, peak):
    """Against all rates, one by one; 20 steps in all, so that ramps never overlap."""
    first = Schedule(1.0, 0.0, ramps[0], ramps[1], total_steps=20)
    second = Schedule(peak, 0.0, ramps[2], ramps[3], total_steps=16)
    rates = [[schedule(step) for step in range(steps)] for schedule in (first, second)]
    assert first.agrees_with(second, steps) == (rates[0] == rates[1])


def test_a_run_between_two_of_its_steps():
    """16 FOVs are two steps and two thirds where a step takes six."""
    assert Schedule(peak=1.0, warmup_steps=4)(16 / 6) == pytest.approx(11 / 12)
