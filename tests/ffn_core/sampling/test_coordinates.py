import h5py
import numpy as np
import pytest

from ffn_core.errors import InputError
from ffn_core.sampling.coordinates import ClassCollector, Coordinates

SHAPE = (40, 20, 30)


@pytest.fixture
def member() -> np.ndarray:
    return np.random.default_rng(0).random(SHAPE) < 0.4


def collect(member: np.ndarray, block: tuple[int, int, int], most: int) -> np.ndarray:
    collector = ClassCollector(SHAPE, most)
    starts = [range(0, n, b) for n, b in zip(SHAPE, block, strict=True)]
    for z in reversed(starts[0]):
        for y in starts[1]:
            for x in starts[2]:
                part = member[z : z + block[0], y : y + block[1], x : x + block[2]]
                collector.add((z, y, x), part)
    return collector.indices()


@pytest.mark.parametrize("block", [SHAPE, (7, 9, 11)])
def test_all_are_kept_where_there_is_room(member, block):
    indices = collect(member, block, most=member.size)
    np.testing.assert_array_equal(indices, np.flatnonzero(member))
    assert indices.dtype == np.uint16  # 24,000 voxels


@pytest.mark.parametrize("most", [1, 500, 4000])
def test_the_draw_does_not_depend_on_blocks(member, most):
    whole = collect(member, SHAPE, most)
    assert len(whole) == most
    assert (np.diff(whole.astype(int)) > 0).all()
    assert member.ravel()[whole].all()
    for block in ((7, 9, 11), (1, 20, 30)):
        np.testing.assert_array_equal(collect(member, block, most), whole)


def test_the_draw_is_even():
    """Over 8 parts of the volume; 4 hypergeometric standard deviations."""
    drawn = collect(np.ones(SHAPE, bool), SHAPE, most=6000)
    counts = np.histogram(drawn, bins=8, range=(0, np.prod(SHAPE)))[0]
    assert np.abs(counts - 750).max() < 4 * np.sqrt(750 * 7 / 8 * 0.75)


def test_memory_is_bounded(member):
    collector = ClassCollector(SHAPE, most=100)
    for z in range(SHAPE[0]):
        collector.add((z, 0, 0), member[z : z + 1])
        assert collector._count <= 200 + SHAPE[1] * SHAPE[2]


def test_coordinates_keep_at_most_so_many_of_each_class(member):
    partitions = np.where(member, 1, 2).astype(np.uint8)
    partitions[0, 0, :3] = 3
    blocks = [((0, 0, 0), partitions[:15]), ((15, 0, 0), partitions[15:])]
    coordinates = Coordinates.from_blocks(
        blocks, SHAPE, (1, 1, 1), (0.3, 0.6), 1, "gt", most_per_class=50
    )
    assert coordinates.class_counts().tolist() == [50, 50, 3]
    for number, members in enumerate(coordinates.indices, start=1):
        assert (partitions.ravel()[members] == number).all()


THRESHOLDS = (0.25, 0.5, 0.75)


def from_partitions(partitions: np.ndarray) -> Coordinates:
    return Coordinates.from_partitions(partitions, (1, 0, 2), THRESHOLDS, 50, "gt.h5:labels")


@pytest.fixture
def partitions() -> np.ndarray:
    array = np.zeros((4, 5, 6), np.uint8)
    array[1, 2, 3] = 1
    array[2, 1:4, 2:4] = 2
    array[3, 4, 5] = 4
    return array


def test_indices_by_class(partitions):
    coordinates = from_partitions(partitions)
    assert coordinates.class_counts().tolist() == [1, 6, 0, 1]
    assert len(coordinates) == 8
    assert coordinates.shape_zyx == (4, 5, 6)
    assert coordinates.indices[0].tolist() == [1 * 30 + 2 * 6 + 3]
    assert coordinates.indices[1].dtype == np.uint8  # 120 voxels
    for number, members in enumerate(coordinates.indices, start=1):
        assert (partitions.ravel()[members] == number).all()


def test_classes_are_drawn_evenly_and_voxels_evenly_within(partitions):
    coordinates = from_partitions(partitions)
    rng = np.random.default_rng(0)
    n_draws = 6000
    counts = np.zeros(partitions.shape)
    for _ in range(n_draws):
        counts[coordinates.sample(rng)] += 1
    # Three non-empty classes of 1, 6 and 1 voxels; 4 binomial standard deviations.
    expected = np.where(partitions == 2, n_draws / 18, n_draws / 3) * (partitions > 0)
    assert (np.abs(counts - expected) <= 4 * np.sqrt(expected)).all()


def test_sample_depends_on_the_generator_only(partitions):
    coordinates = from_partitions(partitions)
    first, second = (
        [coordinates.sample(rng) for _ in range(20)]
        for rng in (np.random.default_rng(3), np.random.default_rng(3))
    )
    assert first == second


def test_within_a_box(partitions):
    box = from_partitions(partitions).within((2, 2, 0), (4, 5, 3))
    assert box.class_counts().tolist() == [0, 2, 0, 0]
    z, y, x = np.unravel_index(box.indices[1], box.shape_zyx)
    assert list(zip(z, y, x, strict=True)) == [(2, 2, 2), (2, 3, 2)]
    assert box.sample(np.random.default_rng(0)) in [(2, 2, 2), (2, 3, 2)]


def test_outside_a_box_is_all_else(partitions):
    whole = from_partitions(partitions)
    box = (-1, 1, 2), (3, 4, 9)  # corners may lie outside
    parts = whole.within(*box), whole.outside(*box)
    assert [len(part) for part in parts] == [7, 1]
    for both, *members in zip(whole.indices, *(part.indices for part in parts), strict=True):
        np.testing.assert_array_equal(np.sort(np.concatenate(members)), both)
    with pytest.raises(InputError, match=r"lies outside the box .*: leave some"):
        whole.outside((0, 0, 0), (4, 5, 6), "leave some")


def test_two_halves_are_disjoint_and_complete(partitions):
    whole = from_partitions(partitions)
    halves = whole.within((0, 0, 0), (2, 5, 6)), whole.within((2, 0, 0), (4, 5, 6))
    for both, *parts in zip(whole.indices, *(half.indices for half in halves), strict=True):
        np.testing.assert_array_equal(np.concatenate(parts), both)


def test_nothing_in_the_box(partitions):
    with pytest.raises(InputError, match=r"gt\.h5:labels lies in the box .*larger box"):
        from_partitions(partitions).within((0, 0, 0), (1, 5, 6))


def test_nothing_at_all_names_the_reason():
    with pytest.raises(InputError, match=r"min_size 50 and lom_radius_zyx \(1, 0, 2\).*lower"):
        from_partitions(np.zeros((4, 5, 6), np.uint8))
    with pytest.raises(InputError, match="does not fit"):
        from_partitions(np.zeros((2, 5, 6), np.uint8))


def test_save_and_load(tmp_path, partitions):
    coordinates = from_partitions(partitions)
    path = tmp_path / "folder" / "coordinates.h5"
    coordinates.save(path)
    loaded = Coordinates.load(path)
    for before, after in zip(coordinates.indices, loaded.indices, strict=True):
        assert before.dtype == after.dtype
        np.testing.assert_array_equal(before, after)
    for name in ("shape_zyx", "lom_radius_zyx", "thresholds", "min_size", "labels_source"):
        assert getattr(loaded, name) == getattr(coordinates, name)
    assert list(path.parent.iterdir()) == [path]


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"no coordinate file .*experiments\.data prepare"):
        Coordinates.load(tmp_path / "c.h5")


def test_foreign_and_damaged_files(tmp_path, partitions):
    foreign, text = tmp_path / "foreign.h5", tmp_path / "text.h5"
    with h5py.File(foreign, "w") as file:
        file["labels"] = partitions
    text.write_text("nothing")
    cut, wrong = tmp_path / "cut.h5", tmp_path / "wrong.h5"
    for path in (cut, wrong):
        from_partitions(partitions).save(path)
    cut.write_bytes(cut.read_bytes()[:3000])
    with h5py.File(wrong, "a") as file:
        file.attrs["shape_zyx"] = (2, 2, 2)
    for path in (foreign, text, cut, wrong):
        with pytest.raises(InputError, match=rf"{path.name} is not a coordinate file") as caught:
            Coordinates.load(path)
        assert "\n" not in str(caught.value)
