import numpy as np
import pytest
from scipy import ndimage
from skimage.feature import peak_local_max

from ffn_core.errors import InputError
from ffn_core.inference.seeds import manual, peaks, with_context
from ffn_core.synthetic.neurites import synthesize


def published(image: np.ndarray) -> np.ndarray:
    """google/ffn PolicyPeaks, step by step, with SciPy's distance transform."""
    edges = ndimage.generic_gradient_magnitude(image.astype(np.float32), ndimage.sobel)
    threshold = np.zeros(edges.shape, np.float32)
    ndimage.gaussian_filter(edges, 49.0 / 6.0, output=threshold, mode="reflect")
    distance = ndimage.distance_transform_edt(1 - (edges > threshold)).astype(np.float32)
    np.random.seed(42)  # noqa: NPY002 - the published generator
    noisy = distance + np.random.random(distance.shape) * 1e-4  # noqa: NPY002
    found = peak_local_max(noisy, min_distance=3, threshold_abs=0, threshold_rel=0)
    return np.array(sorted((z, y, x) for z, y, x in found))


def test_peaks_are_the_published_ones():
    image, _ = synthesize((32, 40, 48), seed=2)
    points = peaks(image)
    assert len(points) > 20
    np.testing.assert_array_equal(points, published(image))


def test_scale_and_offset_of_the_image_do_not_matter():
    image, _ = synthesize((24, 24, 24), seed=2)
    np.testing.assert_array_equal(peaks(image), peaks((image.astype(np.float32) - 128) / 32))


def test_a_bright_ball_is_started_at_its_center():
    grid = np.indices((41, 41, 41)) - 20
    ball = (grid**2).sum(axis=0) < 12**2
    points = peaks(100 * ball.astype(np.float32))
    inside = points[((points - 20) ** 2).sum(axis=1) < 10**2]
    np.testing.assert_array_equal(inside, [[20, 20, 20]])


def test_a_blank_image_has_no_peaks():
    assert peaks(np.zeros((16, 16, 16))).shape == (0, 3)


def test_manual_points_keep_their_order():
    np.testing.assert_array_equal(manual([[5, 1, 2], [0, 0, 0]], (6, 6, 6)), [[5, 1, 2], [0, 0, 0]])


@pytest.mark.parametrize("points", [[], [[1, 2]], [[1, 2, 6]], [[-1, 0, 0]]])
def test_unusable_manual_points(points):
    with pytest.raises(InputError, match="seed"):
        manual(points, (6, 6, 6))


def test_points_need_a_whole_fov_around_them():
    points = np.array([[2, 4, 4], [1, 4, 4], [7, 5, 5], [2, 4, 6]])
    np.testing.assert_array_equal(
        with_context(points, (5, 7, 9), (10, 10, 10)), [[2, 4, 4], [7, 5, 5]]
    )
