from experiments.benchmarks.ratio import bound, markdown, median_ratio, ratio, row


def test_a_claim_is_judged_by_its_median():
    claim = ratio("trainer", "bare step", [0.9, 0.97, 0.96], target=0.95)
    assert claim.median == 0.96
    assert claim.met
    assert row(claim) == ["trainer", "bare step", "96.0 % (90.0 % - 97.0 %)", "≥ 95.0 %", "yes"]


def test_rates_of_the_same_round_are_compared():
    assert median_ratio([2.0, 9.0, 8.0], [1.0, 3.0, 4.0]) == 2.0


def test_a_bound_must_not_be_exceeded():
    claim = bound("start", [16.0], "s", target=15.0)
    assert not claim.met
    assert row(claim) == ["start", "-", "16 s", "≤ 15 s", "no"]


def test_the_page_names_what_it_was_measured_with():
    page = markdown([bound("start", [1.0], "s", 15.0)], {"host.cpu": "a processor"})
    assert "| start | - | 1 s | ≤ 15 s | yes |" in page
    assert "- host.cpu: a processor" in page
