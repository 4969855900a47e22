import cc3d
import edt
import numpy as np
import pytest
from scipy import ndimage

from ffn_core.errors import InputError
from ffn_core.synthetic.neurites import cubes_of, synthesize, synthesize_sections

SHAPE = (40, 64, 72)


@pytest.fixture(scope="module")
def volume() -> tuple[np.ndarray, np.ndarray]:
    return synthesize(SHAPE, seed=1)


def test_shape_and_type(volume):
    image, labels = volume
    assert image.shape == labels.shape == SHAPE
    assert (image.dtype, labels.dtype) == (np.uint8, np.uint32)


def test_same_seed_same_volume(volume):
    for before, after in zip(volume, synthesize(SHAPE, seed=1), strict=True):
        np.testing.assert_array_equal(before, after)
    assert (synthesize(SHAPE, seed=2)[1] != volume[1]).any()


def test_labels_are_numbered_connected_objects(volume):
    labels = volume[1]
    n_objects = int(labels.max())
    assert np.unique(labels).tolist() == list(range(1, n_objects + 1))
    assert n_objects > 10
    assert cc3d.connected_components(labels, connectivity=6).max() == n_objects
    assert np.bincount(labels.ravel())[1:].min() >= 11**3


def test_objects_have_the_asked_calibre():
    labels = synthesize((96, 96, 96), seed=0, object_radius_vx=11)[1]
    depth = edt.edt(labels, black_border=False)
    inscribed = ndimage.maximum(depth, labels, range(1, int(labels.max()) + 1))
    assert 8 <= np.median(inscribed) <= 14


def test_membranes_are_dark_and_cytoplasm_bright(volume):
    image, labels = volume
    depth = edt.edt(labels, black_border=False)
    assert image[depth == 1].mean() + 50 < image[depth > 4].mean()
    assert 90 < image.mean() < 160
    assert 20 < image.std() < 50


def test_extracellular_space_is_label_zero(volume):
    image, labels = synthesize(SHAPE, seed=1, extracellular_vx=1.5)
    depth = edt.edt(volume[1], black_border=False)
    np.testing.assert_array_equal(labels == 0, depth < 1.5)
    np.testing.assert_array_equal(labels[depth >= 1.5], volume[1][depth >= 1.5])
    np.testing.assert_array_equal(image, volume[0])


@pytest.mark.parametrize("shape", [(8, 8, 8), (8, 90, 30), (64, 9, 9)])
def test_thin_volumes(shape):
    image, labels = synthesize(shape, seed=0)
    assert image.shape == shape
    assert labels.min() == 1


@pytest.mark.parametrize(("shape", "radius"), [((7, 64, 64), 11), ((64, 64, 64), 2)])
def test_too_small(shape, radius):
    with pytest.raises(InputError, match="use at least"):
        synthesize(shape, seed=0, object_radius_vx=radius)


def test_sections_are_cut_from_a_volume_of_cubes():
    """Voxels of 30 x 8 x 8: 3.75 cubes along z, of which the one at the middle is taken."""
    assert cubes_of((8, 24, 32), (30.0, 8.0, 8.0)) == (30, 24, 32)
    fine = synthesize((30, 24, 32), seed=1, object_radius_vx=5)
    cut = synthesize_sections((8, 24, 32), (30.0, 8.0, 8.0), seed=1, object_radius_vx=5)
    sections = [1, 5, 9, 13, 16, 20, 24, 28]
    for whole, thin in zip(fine, cut, strict=True):
        np.testing.assert_array_equal(thin, whole[sections])


def test_cubes_are_not_cut(volume):
    for whole, cut in zip(volume, synthesize_sections(SHAPE, (8.0, 8.0, 8.0), 1), strict=True):
        np.testing.assert_array_equal(cut, whole)
