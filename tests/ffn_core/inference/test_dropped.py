import numpy as np
import pytest

from ffn_core.inference.dropped import dropped_line, proposed_min_size


def test_the_largest_size_that_keeps_99_percent_of_the_voxels():
    # 10,000 voxels, of which 100 may go: ten segments of 8, one of 20, but none of those of 300.
    sizes = [8] * 10 + [20] + [300] * 33
    assert sum(sizes) == 10_000
    assert proposed_min_size(np.array(sizes)) == 300
    assert proposed_min_size(np.array([*sizes, 1])) == 20  # 101 voxels are too many


def test_it_is_rounded_down_to_two_digits():
    assert proposed_min_size(np.full(10, 12_345)) == 12_000
    assert proposed_min_size(np.full(10, 99)) == 99
    assert proposed_min_size(np.full(10, 7)) == 7


@pytest.mark.parametrize("count", [0, 9])
def test_few_segments_say_nothing(count):
    assert proposed_min_size(np.full(count, 1000)) is None


def test_what_is_said():
    assert dropped_line(30, 10, 7_500, 2_500, 1000, 120) == (
        "flood.min_segment_size=1,000 dropped 10 of 40 segments with 2,500 voxels (25.0% of those"
        " found); flood.min_segment_size=120 would keep 99% of the voxels"
    )
    assert dropped_line(30, 0, 7_500, 0, 1000, 1_400).endswith("0 voxels (0.0% of those found)")
    assert dropped_line(3, 0, 7_500, 0, 1000, None).endswith("(0.0% of those found)")
    assert dropped_line(0, 0, 0, 0, 1000, None).startswith("nothing was found")
