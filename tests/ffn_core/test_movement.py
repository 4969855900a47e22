import json

import numpy as np
import pytest

from ffn_core.errors import InputError
from ffn_core.geometry import FovGeometry
from ffn_core.movement import (
    POLICIES,
    FixedMovement,
    MaxPredMovement,
    make_movement,
    scored_face_moves,
)

LINE = FovGeometry((1, 1, 5), (0, 0, 2))  # canvas (1, 1, 9), center x = 4
FLAT = FovGeometry((1, 5, 5), (0, 2, 2))  # canvas (1, 9, 9), center y = x = 4
CUBE = FovGeometry((5, 5, 5), (2, 2, 2))


def visits(movement, seed):
    offsets = []
    while (offset := movement.next_offset(seed)) is not None:
        offsets.append(offset)
        assert len(offsets) <= 27, "a canvas has no more cells"
    return offsets


def test_fixed_visits_the_center_then_all_shifts_in_the_given_order():
    order = np.arange(26)[::-1]
    everywhere = np.ones(CUBE.canvas_zyx, np.float32)
    assert visits(FixedMovement(CUBE, 1.0, order), everywhere) == [
        (0, 0, 0),
        *CUBE.shifts_zyx[::-1],
    ]


def test_fixed_visits_only_positions_that_reached_the_threshold():
    seed = np.full(FLAT.canvas_zyx, 9.0, np.float32)
    seed[0, 2::2, 2::2] = 0.99  # every position a FOV may be centered at
    seed[0, 4, 4] = seed[0, 2, 6] = 1.0
    seed[0, 6, 4] = 1.5
    movement = FixedMovement(FLAT, 1.0, np.arange(8))
    assert visits(movement, seed) == [(0, 0, 0), (0, -2, 2), (0, 2, 0)]


def test_fixed_looks_at_the_seed_when_the_turn_comes():
    seed = np.zeros(LINE.canvas_zyx, np.float32)
    seed[0, 0, 4] = 1.0
    movement = FixedMovement(LINE, 1.0, np.array([1, 0]))  # +2, then -2
    assert movement.next_offset(seed) == (0, 0, 0)
    seed[0, 0, 2] = 1.0  # what a prediction at the center would do
    assert movement.next_offset(seed) == (0, 0, -2)
    seed[0, 0, 6] = 1.0  # too late: +2 has been passed over
    assert movement.next_offset(seed) is None
    assert movement.next_offset(seed) is None


def test_max_pred_takes_the_stronger_face_first_and_stays_on_the_canvas():
    seed = np.full(LINE.canvas_zyx, -3.0, np.float32)
    seed[0, 0, [0, 2, 4, 6, 8]] = [9.0, 3.0, 2.0, 5.0, 9.0]
    # From +2 and -2 the faces at 8 and 0 lie one step beyond the canvas, those at 4 are done.
    assert visits(MaxPredMovement(LINE, 1.0), seed) == [(0, 0, 0), (0, 0, 2), (0, 0, -2)]


def test_max_pred_moves_off_the_grid_and_visits_a_cell_once():
    seed = np.full(FLAT.canvas_zyx, -5.0, np.float32)
    seed[0, 3, 6] = 6.0  # strongest on the face x = +2: move (-1, 2)
    seed[0, 6, 5] = 4.0  # strongest on the face y = +2: move (2, 1)
    seed[0, 5, 5] = 7.0  # seen from (-1, 2) as move (1, 1), the grid cell of (2, 1)
    seed[0, 4, 6] = 3.0  # seen from (2, 1) as move (0, 2), the grid cell of (-1, 2)
    seed[0, 8, 5] = 5.0  # seen from (2, 1) as move (4, 1), beyond the canvas
    assert visits(MaxPredMovement(FLAT, 2.0), seed) == [(0, 0, 0), (0, -1, 2), (0, 2, 1)]


def test_max_pred_reads_the_seed_after_the_prediction():
    seed = np.full(LINE.canvas_zyx, -3.0, np.float32)
    movement = MaxPredMovement(LINE, 1.0)
    assert movement.next_offset(seed) == (0, 0, 0)
    seed[0, 0, 2] = 1.0
    assert movement.next_offset(seed) == (0, 0, -2)
    assert movement.next_offset(seed) is None


def test_scored_face_moves_by_hand():
    logits = np.zeros((3, 3, 5), np.float32)
    logits[:, 0] = logits[:, 2] = 99.0  # y has no faces, and its box is one voxel thick
    logits[0, 1, 3] = 1.0  # face z = -1
    logits[1, 1, 0] = 2.0  # face x = -2
    logits[2, 1, 4] = 0.5  # on the edge of faces z = +1 and x = +2, just at the threshold
    assert list(scored_face_moves(logits, (1, 0, 2), threshold=0.5)) == [
        (1.0, (-1, 0, 1)),
        (0.5, (1, 0, 2)),
        (2.0, (0, 0, -2)),
        (0.5, (1, 0, 2)),
    ]


def test_scored_face_moves_look_at_faces_not_at_the_border():
    logits = np.full((7, 7, 7), 9.0, np.float32)
    logits[1:6, 1:6, 1:6] = 0.0
    logits[3, 3, 5] = 3.0
    assert list(scored_face_moves(logits, (2, 2, 2), threshold=1.0)) == [(3.0, (0, 0, 2))]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("taken", [0, 1, 2, 5])
def test_restored_mid_canvas_the_remaining_moves_are_the_same(policy, taken):
    seed = np.random.default_rng(4).normal(0.5, 1.0, CUBE.canvas_zyx).astype(np.float32)

    def start():
        return make_movement(policy, CUBE, 0.0, shuffle=True, rng=np.random.default_rng(5))

    movement = start()
    for _ in range(taken):
        assert movement.next_offset(seed) is not None
    restored = start()
    restored.restore(json.loads(json.dumps(movement.state())))
    rest = visits(movement, seed)
    assert len(rest) > 2
    assert visits(restored, seed) == rest


def test_shuffling_permutes_and_is_drawn_from_the_generator():
    seed = np.ones(CUBE.canvas_zyx, np.float32)
    orders = [
        visits(make_movement("fixed", CUBE, 0.0, True, np.random.default_rng(s)), seed)
        for s in (1, 1, 2)
    ]
    assert orders[0] == orders[1] != orders[2]
    assert orders[0][0] == (0, 0, 0)
    assert sorted(orders[0][1:]) == list(CUBE.shifts_zyx) != orders[0][1:]


@pytest.mark.parametrize("policy", POLICIES)
def test_without_shuffling_nothing_is_drawn(policy):
    rng = np.random.default_rng(1)
    movement = make_movement(policy, CUBE, 0.0, shuffle=False, rng=rng)
    assert rng.bit_generator.state == np.random.default_rng(1).bit_generator.state
    if policy == "fixed":
        seed = np.ones(CUBE.canvas_zyx, np.float32)
        assert visits(movement, seed)[1:] == list(CUBE.shifts_zyx)


def test_unknown_policy():
    with pytest.raises(InputError, match="policy='random' is unknown; choose from fixed, max_pred"):
        make_movement("random", CUBE, 0.0, True, np.random.default_rng(0))
