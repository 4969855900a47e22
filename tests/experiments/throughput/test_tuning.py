import pytest

from experiments.throughput.tuning import (
    Setup,
    Trial,
    TuneConfig,
    as_good,
    ranked,
    recommended,
    splits,
)
from ffn_core.errors import InputError


def trial(ranks, micro_batch, *rates):
    return Trial(Setup(ranks, 8 // ranks, micro_batch), rates, [0.5] * len(rates))


@pytest.mark.parametrize(
    ("ranks", "cores", "expected"),
    [
        ([], 1, [(1, 1)]),
        ([], 2, [(1, 2), (2, 1)]),
        ([], 6, [(1, 6), (2, 3), (4, 1)]),
        ([3, 1], 6, [(1, 6), (3, 2)]),
    ],
)
def test_cores_are_split_without_sharing(ranks, cores, expected):
    assert splits(ranks, cores) == expected


def test_more_ranks_than_cores_are_refused():
    with pytest.raises(InputError, match=r"tune\.ranks=\[1, 4\]: this machine has 2 cores"):
        splits([1, 4], 2)


def test_the_fastest_in_every_repeat_is_recommended():
    trials = [trial(1, 1, 10, 11, 10), trial(2, 1, 20, 21, 19), trial(2, 4, 15, 14, 16)]
    assert [t.median for t in ranked(trials)] == [20, 15, 10]
    assert as_good(trials) == [trials[1]]
    assert recommended(trials) is trials[1]


def test_where_noise_decides_fewer_ranks_and_smaller_micro_batches_are_recommended():
    trials = [trial(4, 1, 20, 21, 19), trial(1, 8, 18, 22, 18), trial(1, 2, 20, 20, 18)]
    trials.append(trial(1, 1, 20, 18, 20))
    assert recommended(trials) is trials[3], "ahead once, in the last repeat"
    assert recommended(trials[:3]) is trials[1], "the other was never ahead"


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"ranks": [0]}, "tune.ranks=[0]"),
        ({"micro_batches": []}, "tune.micro_batches=[]"),
        ({"micro_batches": [2, 2]}, "tune.micro_batches=[2, 2]"),
        ({"repeats": 0}, "tune.repeats=0"),
        ({"block_s": 0.0}, "tune.block_s=0.0"),
    ],
)
def test_bad_options_name_their_value(values, named):
    with pytest.raises(InputError) as caught:
        TuneConfig(**values)
    assert named in str(caught.value)
