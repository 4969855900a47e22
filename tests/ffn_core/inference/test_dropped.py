import numpy as np
import pytest

from ffn_core.inference.dropped import Tally, dropped_line, proposed_min_size


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
    none, kept = Tally(0, 0), Tally(30, 7_500)
    assert dropped_line(kept, Tally(10, 2_000), Tally(50, 500), 1000, 120) == (
        "flood.min_segment_size=1000 dropped 10 of 40 segments with 2,000 voxels (20.0% of those"
        " found), and 50 loose parts of others with 500 (5.0%); flood.min_segment_size=120 keeps"
        " segments with 99% of the voxels"
    )
    assert dropped_line(kept, none, none, 1000, 1_400).endswith("0 voxels (0.0% of those found)")
    assert dropped_line(kept, none, none, 1000, None).endswith("(0.0% of those found)")
    assert dropped_line(none, none, none, 1000, None).startswith("nothing was found")
