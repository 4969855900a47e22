import numpy as np
import pytest

from ffn_core.geometry import FovGeometry
from ffn_core.inference.canvas import Canvas
from ffn_core.inference.settings import FloodSettings
from ffn_core.seed import logit

GEOMETRY = FovGeometry((5, 5, 5), (2, 2, 2))
SHAPE = (11, 11, 21)
START = (5, 5, 10)


@pytest.fixture
def segments() -> np.ndarray:
    return np.zeros(SHAPE, np.uint32)


def make(segments: np.ndarray, **settings) -> Canvas:
    image = np.arange(segments.size, dtype=np.float32).reshape(SHAPE)
    canvas = Canvas(image, segments, GEOMETRY, FloodSettings(**settings))
    canvas.start(START)
    return canvas


def read(canvas: Canvas, position) -> tuple[np.ndarray, np.ndarray]:
    image, seed = np.empty((2, 5, 5, 5), np.float32)
    canvas.read(position, image, seed)
    return image, seed


def everywhere(value: float) -> np.ndarray:
    return np.full((5, 5, 5), value, np.float32)


def only(*voxels) -> np.ndarray:
    logits = everywhere(-4.0)
    for voxel in ((2, 2, 2), *voxels):
        logits[voxel] = 4.0
    return logits


def test_first_fov_holds_the_seed_in_padding(segments):
    canvas = make(segments)
    assert canvas.next_position() == START
    image, seed = read(canvas, START)
    assert image[2, 2, 2] == np.ravel_multi_index(START, SHAPE)
    assert seed[2, 2, 2] == np.float32(logit(0.95))
    seed[2, 2, 2] = np.float32(logit(0.05))
    assert (seed == np.float32(logit(0.05))).all()


def test_moves_go_to_the_strongest_voxel_of_each_face_strongest_first(segments):
    canvas = make(segments)
    position = canvas.next_position()
    logits = only((4, 2, 1))  # on the high z face, off its center
    logits[2, 2, 4] = 5.0  # on the high x face
    canvas.write(position, logits)
    assert [canvas.next_position() for _ in range(3)] == [(5, 5, 12), (7, 5, 9), None]


def test_a_cell_of_the_delta_grid_is_visited_once(segments):
    canvas = make(segments)
    canvas.write(canvas.next_position(), only((2, 2, 4)))
    canvas.write(canvas.next_position(), only((2, 2, 0)))  # back to the start
    assert canvas.next_position() is None
    assert canvas.visited == [(5, 5, 10), (5, 5, 12)]


def test_positions_without_context_or_on_a_kept_object_are_skipped(segments):
    segments[5, 5, 8] = 3
    canvas = make(segments)
    canvas.write(canvas.next_position(), everywhere(4.0))
    found = set()
    while (position := canvas.next_position()) is not None:
        found.add(position)
        canvas.write(position, everywhere(4.0))
    assert (5, 5, 8) not in found
    assert all(2 <= p <= size - 3 for f in found for p, size in zip(f, SHAPE, strict=True))


def test_a_seed_that_the_network_rejects_ends_the_object(segments):
    canvas = make(segments)
    logits = everywhere(4.0)
    logits[2, 2, 2] = logit(0.8)  # below move
    canvas.write(canvas.next_position(), logits)
    assert not canvas.seed_holds
    assert canvas.next_position() is None


def test_what_was_separated_stays_separated(segments):
    rejected = (2, 2, 0)
    for threshold, expected in ((0.0, -4.0), (-1.0, 4.0), (1.0, 4.0)):
        canvas = make(segments, disco_seed_threshold=threshold)
        logits = everywhere(4.0)
        logits[rejected] = -4.0
        canvas.write(START, logits)
        canvas.write(START, everywhere(4.0))
        window, mask = canvas.object_mask()
        assert [s.start for s in window] == [3, 3, 8]
        assert mask[rejected] == (expected > 0)
        assert mask.sum() == 125 - (expected < 0)


def test_a_new_object_finds_a_clean_canvas(segments):
    canvas = make(segments)
    canvas.write(START, everywhere(4.0))
    canvas.start((5, 5, 11))
    _, seed = read(canvas, (5, 5, 11))
    assert (seed > 0).sum() == 1
    assert canvas.visited == []


def test_state_restores_mask_queue_and_visits(segments):
    canvas = make(segments)
    canvas.write(canvas.next_position(), everywhere(4.0))
    pending = canvas.next_position()
    other = make(segments)
    other.write(START, everywhere(-4.0))  # left-overs of another object
    other.restore(canvas.state(pending))
    assert other.next_position() == pending
    assert other.visited == canvas.visited
    np.testing.assert_array_equal(read(other, pending)[1], read(canvas, pending)[1])
    for one in (canvas, other):
        one.write(pending, everywhere(4.0))
    assert other.next_position() == canvas.next_position()
