import numpy as np
from PIL import Image

from experiments.trainer.canvas_pictures import (
    MISSED,
    RIGHT,
    TOO_MUCH,
    CanvasPictures,
    canvas_f1,
    canvas_words,
    draw_sheet,
    pixels_per_voxel,
    section_views,
)
from ffn_core.geometry import FovGeometry
from ffn_core.movement import make_movement
from ffn_core.training.examples import Canvas

GEOMETRY = FovGeometry((5, 5, 5), (1, 1, 1))  # canvas 7
THRESHOLD = 2.0


def make_canvas() -> Canvas:
    """In the central section: truth in rows 0-3, found in columns 0-3; elsewhere the reverse."""
    truth, seed = np.zeros((7, 7, 7), bool), np.full((7, 7, 7), THRESHOLD, np.float32)
    truth[3, :4] = True
    seed[3, :, 4:] = THRESHOLD - 0.1
    movement = make_movement("fixed", GEOMETRY, THRESHOLD, False, np.random.default_rng(0))
    return Canvas(np.zeros((7, 7, 7), np.float32), truth, seed, movement, GEOMETRY)


def blend(color) -> np.ndarray:
    return np.round(0.4 * 127.5 + 0.6 * np.array(color))


def test_colors_say_right_too_much_and_missed():
    image, truth, prediction = section_views(make_canvas(), THRESHOLD)
    assert (image == 128).all()
    np.testing.assert_array_equal(truth[0, 6], blend(RIGHT))
    np.testing.assert_array_equal(truth[6, 0], [128, 128, 128])
    np.testing.assert_array_equal(prediction[0, 0], blend(RIGHT))
    np.testing.assert_array_equal(prediction[6, 0], blend(TOO_MUCH))
    np.testing.assert_array_equal(prediction[0, 6], blend(MISSED))
    np.testing.assert_array_equal(prediction[6, 6], [128, 128, 128])


def test_intensities_far_from_the_mean_are_black_and_white():
    canvas = make_canvas()
    canvas.image[3, 0, :2] = -9, 9
    image = section_views(canvas, THRESHOLD)[0]
    assert image[0, :2, 0].tolist() == [0, 255]


def test_a_column_for_each_canvas():
    one = draw_sheet([make_canvas()] * 3, THRESHOLD, "0 FOVs")
    two = draw_sheet([make_canvas()] * 4, THRESHOLD, "0 FOVs")
    assert two.width - one.width == 14 * 7 + 4  # enlarged to at least 96 pixels
    assert two.height == one.height


def test_each_canvas_has_its_own_f1_written_below():
    """Found: columns 0-3 of the central section and all others; true: rows 0-3 of the central."""
    canvas = make_canvas()
    both, found, true = 4 * 4, 6 * 49 + 7 * 4, 4 * 7
    assert canvas_f1(canvas, THRESHOLD) == 2 * both / (found + true)
    blind = make_canvas()
    blind.seed[...] = -9.0
    with_score, without = (
        np.asarray(draw_sheet([c], THRESHOLD, "0 FOVs").convert("L"))[-60:-18]
        for c in (canvas, blind)
    )
    assert (with_score[:, 64:] < 128).any()
    assert not np.array_equal(with_score, without)


def test_a_sheet_is_named_by_its_fovs_and_limited(tmp_path):
    canvases = [make_canvas()] * 3
    CanvasPictures(tmp_path / "few", 2, THRESHOLD).write(12_000, canvases)
    CanvasPictures(tmp_path / "none", 0, THRESHOLD).write(12_000, canvases)
    CanvasPictures(tmp_path / "none", 2, THRESHOLD).write(12_000, [])
    assert [p.name for p in tmp_path.rglob("*.png")] == ["fovs-00012000.png"]
    with Image.open(tmp_path / "few/fovs-00012000.png") as sheet:
        assert sheet.size == draw_sheet(canvases[:2], THRESHOLD, "").size


def test_sections_across_z_and_across_y():
    """Of the section y = 0 only the row z = 3 is true; found is all but its last columns."""
    canvas = make_canvas()
    canvas.is_object[:, 3], canvas.seed[:, 3] = canvas.is_object[:, 0], canvas.seed[:, 0]
    _, truth, found = section_views(canvas, THRESHOLD, axis=1)
    np.testing.assert_array_equal(truth[3, 6], blend(RIGHT))
    np.testing.assert_array_equal(truth[2, 6], [128, 128, 128])
    np.testing.assert_array_equal(found[3, 0], blend(RIGHT))
    np.testing.assert_array_equal(found[3, 6], blend(MISSED))
    np.testing.assert_array_equal(found[2, 6], blend(TOO_MUCH))


def test_voxels_keep_their_proportions():
    assert pixels_per_voxel((7, 7, 7), (8.0, 8.0, 8.0)) == (14, 14, 14)  # 98 pixels
    assert pixels_per_voxel((7, 49, 49), (30.0, 8.0, 8.0)) == (7.5, 2, 2)
    assert pixels_per_voxel((7, 700, 7), (1.0, 1.0, 1.0)) == (1, 1, 1)
    canvas = [make_canvas()]
    cubic = draw_sheet(canvas, THRESHOLD, "")
    flat = draw_sheet(canvas, THRESHOLD, "", (16.0, 8.0, 8.0))
    assert flat.height - cubic.height == 3 * 7 * 14  # z is twice as long in three views
    assert flat.width == cubic.width


def test_what_was_missed_and_what_was_too_much():
    """True: 28 voxels, of which 16 are found, among 322 in all."""
    words = [word for word, _ in canvas_words(make_canvas(), THRESHOLD)]
    assert words == ["F1 0.09", "missed 43%", "too much 95%"]
    blind = make_canvas()
    blind.seed[...] = -9.0
    words = [word for word, _ in canvas_words(blind, THRESHOLD)]
    assert words == ["F1 0.00", "missed 100%", "nothing found"]
