import numpy as np
import pytest
from PIL import Image

from analysis.pictures.__main__ import main
from analysis.pictures.colors import matching_colors, spread_colors
from analysis.pictures.panels import overlay, section_figure, surfaces_figure
from analysis.pictures.surfaces import surface
from experiments.data.cache import write_volumes
from ffn_core.volumes import ArrayVolume


def ball(size: int, radius: float) -> np.ndarray:
    grid = np.indices((size,) * 3) - size // 2
    return (grid**2).sum(axis=0) <= radius**2


def test_colors_are_all_different():
    colors = np.array(list(spread_colors(range(200)).values()))
    assert ((colors >= 0) & (colors <= 1)).all()
    assert len(np.unique(colors.round(6), axis=0)) == 200


def test_segments_take_the_color_of_their_object_once():
    truth = np.array([[1] * 6 + [2] * 4 + [0] * 2])
    segmentation = np.array([[7] * 4 + [8] * 2 + [9] * 4 + [5] * 2])
    by_segment, by_object = matching_colors(segmentation, truth)
    np.testing.assert_array_equal(by_segment[7], by_object[1])  # the larger part of object 1
    np.testing.assert_array_equal(by_segment[9], by_object[2])
    used = [tuple(color) for color in [*by_object.values(), by_segment[8], by_segment[5]]]
    assert len(set(used)) == 4


def test_a_merger_has_the_color_of_its_larger_object():
    by_segment, by_object = matching_colors(np.array([3, 3, 3, 0]), np.array([1, 2, 2, 2]))
    np.testing.assert_array_equal(by_segment[3], by_object[2])


def test_overlay_colors_objects_and_leaves_the_rest_gray():
    ids = np.zeros((4, 6), int)
    ids[:, 3:] = 1
    picture = overlay(np.full((4, 6), 9.0), ids, {1: np.array([1.0, 0.0, 0.0])})
    assert picture.shape == (4, 6, 3)
    assert (picture[:, :2] == picture[:, :2, :1]).all()
    assert (picture[:, 4, 0] > picture[:, 4, 1]).all()


@pytest.mark.parametrize("truth", [True, False])
def test_section_has_a_panel_for_each_volume(truth):
    ids = np.zeros((8, 10), int)
    ids[2:5] = 1
    figure = section_figure(ids.astype(float), ids, ids if truth else None, 1)
    titles = [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes]
    assert titles == ["image", *(["ground truth"] if truth else []), "segmentation"]


def test_the_surface_of_a_ball_has_its_radius_and_points_outwards():
    corners, normals = surface(ball(41, 12.0))
    middle = corners.mean(axis=1) - 20
    distance = np.linalg.norm(middle, axis=1)
    assert distance.mean() == pytest.approx(12.0, abs=0.5)
    assert distance.std() < 0.3
    outwards = (normals * middle).sum(axis=1) / distance
    assert outwards.min() > 0.8


def test_an_object_is_closed_at_the_border_and_may_be_one_voxel():
    mask = np.zeros((5, 5, 5), bool)
    mask[0, 0, 0] = True
    corners, _ = surface(mask)
    assert corners.min() < 0 < corners.max() < 2


def test_pictures_are_written_or_refused_in_one_line(tmp_path, capsys):
    path = tmp_path / "v.h5"
    ids = ball(24, 8.0).astype(np.uint32)
    write_volumes(path, {"image": 100 * ids.astype(np.uint8), "ids": ids})
    options = [f"{path}:ids", "--image", f"{path}:image", "--out", str(tmp_path)]
    assert main([*options, "--labels", f"{path}:ids"]) == 0
    options.append("--overwrite")
    with Image.open(tmp_path / "surfaces.png") as picture:
        blue = np.asarray(picture).astype(int)
    assert np.ptp(blue) > 100  # something is drawn, and it is shaded
    assert main([*options, "--start", "1", "0", "0"]) == 2
    assert main([*options, "--section", "24"]) == 2
    with pytest.raises(SystemExit, match="2"):
        main([*options, "--most-voxels", "0"])
    assert capsys.readouterr().err.count("\n") == 3


def test_surfaces_of_a_volume_too_large_are_thinned_and_say_so():
    ids = ball(24, 8.0).astype(int)
    assert len(surfaces_figure(ids, ids, 1).texts) == 2  # a title above each panel
    *_, caption = surfaces_figure(ids, ids, 1, step=3).texts
    assert "every 3 voxels" in caption.get_text()


def test_of_an_image_only_the_section_is_read(tmp_path, monkeypatch):
    path = tmp_path / "v.h5"
    ids = ball(24, 8.0).astype(np.uint32)
    write_volumes(path, {"image": 100 * ids.astype(np.uint8), "ids": ids})
    image = ReadsKept(100 * ids)
    monkeypatch.setattr("analysis.pictures.__main__.open_volume", lambda *_: image)
    options = ["--image", "memory:image", "--out", str(tmp_path), "--most-voxels", "2000"]
    assert main([f"{path}:ids", *options]) == 0
    assert image.windows == [((12, 0, 0), (1, 24, 24))]


class ReadsKept(ArrayVolume):
    """A volume that remembers the windows read."""

    def __init__(self, array):
        super().__init__(array)
        self.windows = []

    def read(self, start_zyx, shape_zyx):
        self.windows.append((start_zyx, shape_zyx))
        return super().read(start_zyx, shape_zyx)
