import pytest

from experiments.config.parsing import from_dict
from experiments.throughput.bare_step import require_apart
from experiments.throughput.tuning import (
    Setup,
    Trial,
    TuneConfig,
    as_good,
    in_processes,
    native_precisions,
    precisions,
    ranked,
    recommended,
    splits,
)
from ffn_core.errors import InputError


def trial(ranks, micro_batch, *rates, precision="float32"):
    return Trial(Setup(ranks, 8 // ranks, micro_batch, precision), rates, [0.5] * len(rates))


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


def test_on_gpus_tf32_is_timed_in_processes_of_its_own():
    """There a process keeps to the algorithms that it found first, be TF32 allowed or not."""
    variants = [(name, size) for name in ("float32", "tf32", "bfloat16") for size in (1, 8)]
    others = [("float32", 1), ("float32", 8), ("bfloat16", 1), ("bfloat16", 8)]
    assert in_processes(variants, gpus=1) == [others, [("tf32", 1), ("tf32", 8)]]
    assert in_processes([("tf32", 1)], gpus=1) == [[("tf32", 1)]]
    assert in_processes(variants, gpus=0) == [variants]
    for part in in_processes(variants, gpus=1):
        require_apart("gpu", sorted({name for name, _ in part}))
    require_apart("cpu", ["float32", "tf32"])
    with pytest.raises(ValueError, match="tf32 is timed in a process of its own"):
        require_apart("gpu", ["float32", "tf32"])


def test_gpus_have_a_rank_each_and_share_the_cores():
    assert splits([], 32, gpus=4) == [(1, 32), (2, 16), (4, 8)]
    with pytest.raises(InputError, match=r"tune\.ranks=\[8\]: this machine has 4 GPUs for 8 ranks"):
        splits([8], 32, gpus=4)


def test_what_a_device_multiplies_by_itself():
    assert native_precisions(0, {"avx512_bf16"}) == ["bfloat16"]
    assert native_precisions(0, {"avx512f"}) == []
    assert native_precisions(1, {"avx512f"}) == ["tf32", "bfloat16"]


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


def test_bfloat16_is_recommended_where_it_is_faster_and_not_where_noise_decides():
    fast = trial(4, 8, 20, 21, 19, precision="bfloat16")
    assert recommended([trial(1, 1, 10, 11, 10), fast]) is fast
    equal = trial(2, 8, 18, 22, 18)
    assert recommended([trial(1, 1, 17, 23, 17, precision="bfloat16"), fast, equal]) is equal


@pytest.mark.parametrize(
    ("asked", "of_model", "native", "tried"),
    [
        ([], "float32", ["bfloat16"], ["float32", "bfloat16"]),
        ([], "float32", [], ["float32"]),
        ([], "bfloat16", ["bfloat16"], ["bfloat16"]),
        ([], "bfloat16", ["tf32", "bfloat16"], ["bfloat16", "tf32"]),
        (["bfloat16"], "float32", [], ["bfloat16"]),
    ],
)
def test_which_precisions_are_tried(asked, of_model, native, tried):
    assert precisions(asked, of_model, native) == tried


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (
            {"precisions": ["float16"]},
            "tune.precisions=['float16'] must be different ones of float32",
        ),
        ({"precisions": ["float32", "float32"]}, "tune.precisions=['float32', 'float32']"),
        ({"ranks": [0]}, "tune.ranks[0]=0"),
        ({"micro_batches": []}, "tune.micro_batches=[]"),
        ({"micro_batches": [2, 2]}, "tune.micro_batches=[2, 2]"),
        ({"repeats": 0}, "tune.repeats=0"),
        ({"block_s": 0.0}, "tune.block_s=0.0"),
    ],
)
def test_bad_options_name_their_value(values, named):
    with pytest.raises(InputError) as caught:
        from_dict(TuneConfig, values, "tune.")
    assert named in str(caught.value)
