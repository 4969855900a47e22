import cc3d
import numpy as np
import pytest
from scipy import ndimage

from ffn_core.geometry import FovGeometry
from ffn_core.inference.segmentation import Batch, Segmenter
from ffn_core.inference.settings import FloodSettings

GEOMETRY = FovGeometry((7, 7, 7), (3, 3, 3))
SHAPE = (32, 36, 40)
SETTINGS = FloodSettings(min_segment_size=30)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """Bright blobs of all shapes (+1) in the dark (-1)."""
    noise = np.random.default_rng(5).normal(size=SHAPE)
    return np.where(ndimage.gaussian_filter(noise, 2.0) > 0.05, 1.0, -1.0).astype(np.float32)


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    grid = np.indices(SHAPE)[:, 3:-3:4, 3:-3:4, 3:-3:4]
    return grid.reshape(3, -1).T


def run(image, points, forward, settings=SETTINGS) -> Segmenter:
    segmenter = Segmenter(image, points, GEOMETRY, settings)
    batch = Batch(forward, GEOMETRY.fov_zyx, 1)
    while not segmenter.finished:
        batch.step([segmenter])
    return segmenter


def walls() -> np.ndarray:
    """Two bright slabs of 8 sections with a dark wall of 4 between them."""
    slabs = np.full((20, 13, 13), -1.0, np.float32)
    slabs[:8] = slabs[12:] = 1.0
    return slabs


def test_each_slab_becomes_one_object(fill_bright):
    segmenter = run(walls(), np.array([[3, 6, 6], [5, 6, 6], [16, 6, 6]]), fill_bright)
    expected = np.zeros((20, 13, 13), np.uint32)
    expected[:8], expected[12:] = 1, 2
    np.testing.assert_array_equal(segmenter.segments, expected)
    origins = segmenter.state().origins
    np.testing.assert_array_equal(origins[:, :3], [[3, 6, 6], [16, 6, 6]])
    assert origins[:, 3].sum() == segmenter.fovs
    assert segmenter.progress() == 1.0


def test_points_in_the_dark_and_small_objects_leave_nothing(fill_bright):
    dark_and_bright = np.array([[9, 6, 6], [3, 6, 6]])
    assert run(walls(), dark_and_bright, fill_bright).objects == 1
    large = FloodSettings(min_segment_size=8 * 13 * 13 + 1)
    assert run(walls(), dark_and_bright, fill_bright, settings=large).objects == 0
    exact = FloodSettings(min_segment_size=8 * 13 * 13)
    assert run(walls(), dark_and_bright, fill_bright, settings=exact).objects == 1


def test_small_objects_are_counted_once_however_often_they_are_found(fill_bright):
    slabs = walls()
    slabs[:8, :, 10] = -1.0  # what is left of the slab: two parts, one of 8 * 13 * 2 voxels
    points = np.array([[3, 6, 6], [5, 6, 6], [16, 6, 6]])
    least = FloodSettings(min_segment_size=8 * 13 * 10 + 1)
    state = run(slabs, points, fill_bright, settings=least).state()
    assert len(state.origins) == 1
    assert state.small_objects.tolist() == [[3, 6, 6, 8 * 13 * 10]]
    expected = np.zeros(slabs.shape, bool)
    expected[:8, :, :10] = True
    np.testing.assert_array_equal(state.small, expected)


def test_a_point_near_an_object_is_not_tried(fill_bright):
    points = np.array([[3, 6, 6], [9, 6, 6]])
    for distance, fovs in ((1, 1), (2, 0)):
        settings = FloodSettings(min_segment_size=30, min_boundary_dist_zyx=(distance, 0, 0))
        first, both = (
            run(walls(), chosen, fill_bright, settings=settings) for chosen in (points[:1], points)
        )
        assert both.fovs - first.fovs == fovs


def test_no_usable_point_is_finished_at_once(fill_bright):
    empty = np.empty((0, 3), np.int64)
    assert Segmenter(walls(), empty, GEOMETRY, SETTINGS).finished
    border = np.array([[0, 0, 0]])
    assert Segmenter(walls(), border, GEOMETRY, SETTINGS).finished


def test_no_object_leaves_a_connected_part_of_the_image(image, points, fill_bright):
    segments = run(image, points, fill_bright).segments
    parts = cc3d.connected_components(image > 0, connectivity=6)
    pairs = np.unique(np.stack([segments, parts])[:, segments > 0], axis=1)
    assert pairs[0].tolist() == list(range(1, segments.max() + 1))
    assert 0 not in pairs[1]


def test_segmentations_that_share_a_batch_do_not_feel_each_other(image, points, fill_bright):
    images = [image, -image, image[::-1], image[:16]]
    alone = [run(each, points, fill_bright) for each in images]
    together = [Segmenter(each, points, GEOMETRY, SETTINGS) for each in images]
    batch = Batch(fill_bright, GEOMETRY.fov_zyx, len(images))
    while active := [segmenter for segmenter in together if not segmenter.finished]:
        batch.step(active)
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.segments, other.segments)
        np.testing.assert_array_equal(one.state().origins, other.state().origins)
        np.testing.assert_array_equal(one.state().small, other.state().small)
        assert one.fovs == other.fovs


@pytest.mark.parametrize("steps", [1, 7])
def test_restored_at_any_step_the_result_is_the_same(image, points, fill_bright, steps):
    image, points = image[:20], points[points[:, 0] < 17]
    whole = run(image, points, fill_bright)
    batch = Batch(fill_bright, GEOMETRY.fov_zyx, 1)
    segmenter = Segmenter(image, points, GEOMETRY, SETTINGS)
    while not segmenter.finished:
        for _ in range(steps):
            if not segmenter.finished:
                batch.step([segmenter])
        state = segmenter.state()
        segmenter = Segmenter(image, points, GEOMETRY, SETTINGS)
        segmenter.restore(state)
    np.testing.assert_array_equal(segmenter.segments, whole.segments)
    np.testing.assert_array_equal(segmenter.state().origins, whole.state().origins)
    assert segmenter.fovs == whole.fovs


def test_progress_never_falls(image, points, fill_bright):
    segmenter = Segmenter(image, points, GEOMETRY, SETTINGS)
    batch = Batch(fill_bright, GEOMETRY.fov_zyx, 1)
    seen = [segmenter.progress()]
    while not segmenter.finished:
        batch.step([segmenter])
        seen.append(segmenter.progress())
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
