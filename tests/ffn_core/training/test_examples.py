import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from ffn_core.errors import InputError
from ffn_core.geometry import Box, FovGeometry
from ffn_core.movement import POLICIES
from ffn_core.sampling.coordinates import Coordinates
from ffn_core.sampling.partial_labels import PartialLabels
from ffn_core.scores.voxel_counts import VoxelCounts
from ffn_core.seed import SeedValues
from ffn_core.training.examples import CanvasSource, ExampleStream, LabeledVolume
from ffn_core.training.image_augmentation import ImageAugmentation
from ffn_core.volumes import ArrayVolume

GEOMETRY = FovGeometry((5, 5, 5), (2, 2, 2))  # canvas 9, radius 4
SHAPE = (20, 22, 24)
PAD = np.float32(-np.log(19))


def make_volume(centers=None, seed=0, weight=1.0) -> LabeledVolume:
    """Noise over blocks of random ids; ``centers`` None: everywhere a canvas fits."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, SHAPE, np.uint8)
    ids = rng.integers(1, 5, (4, 5, 5)).repeat(5, 0).repeat(5, 1).repeat(5, 2)
    labels = ids[:20, :22, :24]
    partitions = np.zeros(SHAPE, np.uint8)
    if centers is None:
        partitions[4:-4, 4:-4, 4:-4] = 1
    else:
        partitions[tuple(np.transpose(centers))] = 1
    coordinates = Coordinates.from_partitions(partitions, (4, 4, 4), (), 1, "test")
    return LabeledVolume(
        ArrayVolume(image), ArrayVolume(labels), coordinates, mean=100.0, stddev=50.0, weight=weight
    )


def make_source(volumes=None, **options) -> CanvasSource:
    return CanvasSource(volumes or [make_volume()], GEOMETRY, SeedValues(), **options)


def network(stream: ExampleStream) -> np.ndarray:
    """Some logits above and some below the move threshold, depending on image and seed."""
    window = stream.window
    return 2.0 * stream.canvas.image[window] + 0.1 * stream.canvas.seed[window]


def follow(stream: ExampleStream, steps: int) -> list[np.ndarray]:
    """What the network is shown over some steps, with its predictions written back."""
    shown = []
    for _ in range(steps):
        canvas, window = stream.canvas, stream.window
        shown.append(
            np.stack([canvas.image[window], canvas.seed[window], canvas.is_object[window]])
        )
        stream.write(network(stream))
        stream.advance()
    return shown


def test_canvas_is_cut_out_and_normalized():
    volume = make_volume(centers=[(5, 9, 12)])
    canvas = make_source([volume]).draw(np.random.default_rng(0))
    box = np.s_[1:10, 5:14, 8:17]
    raw, labels = volume.image.array[box].astype(np.float32), volume.labels.array[box]
    np.testing.assert_array_equal(canvas.image, (raw - 100) / 50)
    np.testing.assert_array_equal(canvas.is_object, labels == labels[4, 4, 4])
    assert 1 < np.count_nonzero(canvas.is_object) < 9**3
    assert canvas.image.dtype == np.float32
    assert np.count_nonzero(canvas.seed != PAD) == 1
    assert canvas.seed[4, 4, 4] == -PAD


def test_image_and_truth_are_augmented_alike():
    volume = make_volume(centers=[(5, 9, 12)])
    plain = make_source([volume]).draw(np.random.default_rng(0))
    variants = {
        array.tobytes(): truth
        for flip in (slice(None), slice(None, None, -1))
        for order in ((0, 1, 2), (0, 2, 1))
        for array, truth in [
            (
                np.ascontiguousarray(plain.image[flip].transpose(order)),
                plain.is_object[flip].transpose(order),
            )
        ]
    }
    source = make_source([volume], reflect_axes=(0,), permute_axes=(1, 2))
    rng = np.random.default_rng(1)
    drawn = [source.draw(rng) for _ in range(40)]
    for canvas in drawn:
        np.testing.assert_array_equal(canvas.is_object, variants[canvas.image.tobytes()])
    assert len({canvas.image.tobytes() for canvas in drawn}) == 4


def test_where_truth_is_known_is_cut_out_and_augmented_alike():
    volume = make_volume(centers=[(5, 9, 12)])
    box = Box((3, 0, 0), (9, 11, 24))
    partial = replace(volume, labels=PartialLabels(volume.labels, box))
    options = {"reflect_axes": (0, 1, 2), "permute_axes": (0, 1, 2)}
    plain, limited = make_source([volume], **options), make_source([partial], **options)
    assert (plain.partly_labeled, limited.partly_labeled) == (False, True)
    inside = np.zeros(SHAPE, bool)
    inside[3:12, :11] = True
    known = replace(volume, image=ArrayVolume(inside.astype(np.uint8)), mean=0.0, stddev=1.0)
    for seed in range(8):
        before, canvas = (s.draw(np.random.default_rng(seed)) for s in (plain, limited))
        shown = make_source([known], **options).draw(np.random.default_rng(seed)).image
        np.testing.assert_array_equal(canvas.labeled, shown == 1)
        np.testing.assert_array_equal(canvas.image, before.image)
        np.testing.assert_array_equal(canvas.is_object, before.is_object & canvas.labeled)
    assert before.labeled is None
    both = make_source([volume, partial])
    assert all(both.draw(np.random.default_rng(s)).labeled is not None for s in range(8))


def test_a_restored_stream_knows_where_truth_is_known():
    volume = make_volume()
    box = Box((0, 0, 0), (20, 12, 24))
    source = make_source([replace(volume, labels=PartialLabels(volume.labels, box))])
    stream = ExampleStream(source, 7, 3, 1)
    follow(stream, 7)
    stream.write(network(stream))
    restored = ExampleStream(source, 99, 0, 0)
    restored.restore(stream.state(), stream.canvas.seed.copy())
    np.testing.assert_array_equal(restored.canvas.labeled, stream.canvas.labeled)
    follow(stream, 40), follow(restored, 40)
    counts = stream.take_counts()
    assert restored.take_counts() == counts
    voxels = sum(counts.as_array()[:4])
    assert 0 < voxels < 9**3 * counts.canvases


EVERYTHING = ImageAugmentation(0.2, 0.2, 0.2, 1.0, 0.1, 0.2, 2)


def digest_of(stream: ExampleStream, steps: int = 60) -> str:
    return hashlib.sha256(np.stack(follow(stream, steps)).tobytes()).hexdigest()[:16]


def test_with_all_off_streams_draw_what_they_drew_before_images_were_changed():
    """As computed before labels could be partial or images changed."""
    options = {"reflect_axes": (0, 1, 2), "permute_axes": (0, 1, 2)}
    source = make_source([make_volume(), make_volume(seed=1)], **options)
    assert digest_of(ExampleStream(source, 7, 3, 1)) == "a6d9ad77a7fedd00"


def test_changed_images_are_of_the_same_canvases():
    """Sections are those of the volume: whichever way the canvas is turned, z comes first."""
    options = {"reflect_axes": (0, 1, 2), "permute_axes": (0, 1, 2)}
    lost = ImageAugmentation(missing_sections=0.5)
    for seed in range(10):
        plain, changed = (
            make_source(image_augmentation=each, **options).draw(np.random.default_rng(seed))
            for each in (ImageAugmentation(), lost)
        )
        np.testing.assert_array_equal(changed.is_object, plain.is_object)
        lost_along = [(changed.image == 0).all(axis=tuple({0, 1, 2} - {axis})) for axis in range(3)]
        (axis,) = (axis for axis, planes in enumerate(lost_along) if planes.any())
        kept = np.flatnonzero(~lost_along[axis])
        np.testing.assert_array_equal(changed.image.take(kept, axis), plain.image.take(kept, axis))


def test_changed_images_depend_on_node_and_slot_alone():
    """On one rank with others, or by itself: a stream shows the same."""
    source = make_source(image_augmentation=EVERYTHING)
    alone = follow(ExampleStream(source, 7, 2, 0), 20)
    streams = [ExampleStream(source, 7, node, 0) for node in range(4)]
    together: list[list[np.ndarray]] = [[] for _ in streams]
    for _ in range(20):
        for shown, stream in zip(together, streams, strict=True):
            shown += follow(stream, 1)
    np.testing.assert_array_equal(together[2], alone)
    assert not np.array_equal(together[1], together[2])


@pytest.mark.parametrize("steps", [0, 7, 25])
def test_changed_images_are_restored_mid_canvas(steps):
    source = make_source(image_augmentation=EVERYTHING, reflect_axes=(0, 1, 2))
    stream = ExampleStream(source, 7, 3, 1)
    follow(stream, steps)
    stream.write(network(stream))
    state, seed = json.loads(json.dumps(stream.state())), stream.canvas.seed.copy()
    restored = ExampleStream(source, 99, 0, 0)
    restored.restore(state, seed)
    np.testing.assert_array_equal(restored.canvas.image, stream.canvas.image)
    for each in (stream, restored):
        each.advance()
    np.testing.assert_array_equal(follow(restored, 40), follow(stream, 40))


def test_unequal_axes_cannot_be_permuted():
    flat = FovGeometry((1, 5, 5), (0, 2, 2))
    with pytest.raises(InputError, match="differ in extent"):
        CanvasSource([make_volume()], flat, SeedValues(), permute_axes=(0, 1))


def test_volumes_are_drawn_by_weight():
    often, seldom = make_volume(weight=3.0), make_volume([(8, 8, 8)], seed=1, weight=1.0)
    rare = make_source([seldom]).draw(np.random.default_rng(0)).image
    source, rng = make_source([often, seldom]), np.random.default_rng(2)
    draws = [np.array_equal(source.draw(rng).image, rare) for _ in range(400)]
    assert np.mean(draws) == pytest.approx(0.25, abs=0.07)  # three standard errors


def test_same_seed_node_and_slot_give_the_same_stream():
    source = make_source(reflect_axes=(0, 1, 2), permute_axes=(0, 1, 2))
    first, second = (follow(ExampleStream(source, 7, 3, 1), 30) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("other", [(8, 3, 1), (7, 4, 1), (7, 3, 0), (7, 1, 3)])
def test_another_seed_node_or_slot_gives_another_stream(other):
    source = make_source()
    stream, different = ExampleStream(source, 7, 3, 1), ExampleStream(source, *other)
    assert not np.array_equal(stream.canvas.image, different.canvas.image)


def test_a_stream_begins_again_as_its_seed_node_slot_and_fov_count_say():
    source = make_source(reflect_axes=(0, 1, 2), permute_axes=(0, 1, 2))

    def again(fovs, used, key=(7, 3, 1)):
        stream = ExampleStream(source, *key)
        follow(stream, used)
        stream.restart(fovs)
        return follow(stream, 30)

    expected = again(40, used=0)
    np.testing.assert_array_equal(again(40, used=25), expected)
    assert not np.array_equal(again(48, used=0), expected)
    assert not np.array_equal(again(40, 0, (7, 3, 0)), expected)
    assert not np.array_equal(follow(ExampleStream(source, 7, 3, 1), 30), expected)


def test_the_next_window_holds_what_was_written():
    stream = ExampleStream(make_source(shuffle=False), 0, 0, 0)
    assert stream.window == (slice(2, 7),) * 3
    np.testing.assert_array_equal(stream.canvas.seed[stream.window][2, 2, 2], -PAD)
    stream.write(np.full((5, 5, 5), 3.0))
    stream.advance()
    assert stream.window == (slice(0, 5),) * 3  # the first shift, (-2, -2, -2)
    expected = np.full((5, 5, 5), PAD)
    expected[2:, 2:, 2:] = 3.0  # where both FOVs overlap
    np.testing.assert_array_equal(stream.canvas.seed[stream.window], expected)


@pytest.mark.parametrize("policy", POLICIES)
def test_every_prediction_stays_until_overwritten(policy):
    stream = ExampleStream(make_source(policy=policy), 0, 0, 0)
    canvas, written = stream.canvas, stream.canvas.seed.copy()
    fovs = 0
    while stream.canvas is canvas:
        written[stream.window] = prediction = network(stream)
        stream.write(prediction)
        np.testing.assert_array_equal(canvas.seed, written)
        stream.advance()
        fovs += 1
    assert fovs > 3
    assert np.count_nonzero(stream.canvas.seed != PAD) == 1  # a new canvas has its seed alone


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("steps", [0, 1, 4, 25])
def test_restored_mid_canvas_a_stream_continues_identically(policy, steps):
    source = make_source(policy=policy, reflect_axes=(0, 1, 2), permute_axes=(0, 1, 2))
    stream = ExampleStream(source, 7, 3, 1)
    follow(stream, steps)
    stream.write(network(stream))
    state, seed = json.loads(json.dumps(stream.state())), stream.canvas.seed.copy()
    restored = ExampleStream(source, 99, 0, 0)  # everything comes from the state
    restored.restore(state, seed)
    seed[...] = np.nan  # the stream must have its own copy
    assert restored.window == stream.window
    for name in ("image", "is_object", "seed"):
        np.testing.assert_array_equal(
            getattr(restored.canvas, name), getattr(stream.canvas, name), err_msg=name
        )
    for s in (stream, restored):
        s.advance()
    np.testing.assert_array_equal(follow(restored, 40), follow(stream, 40))
    assert restored.take_counts() == stream.take_counts() != VoxelCounts()


def test_a_restored_stream_can_be_saved_again():
    source = make_source()
    stream = ExampleStream(source, 7, 3, 1)
    follow(stream, 10)
    stream.write(network(stream))
    restored = ExampleStream(source, 99, 0, 0)
    restored.restore(stream.state(), stream.canvas.seed)
    assert restored.state() == stream.state()


def test_only_finished_canvases_are_counted():
    stream = ExampleStream(make_source(), 0, 0, 0)
    truth = stream.canvas.is_object
    stream.write(np.full((5, 5, 5), 1.0))  # below logit(0.9): nothing found, no shift reached
    assert stream.take_counts() == VoxelCounts()
    stream.advance()
    found = np.count_nonzero(truth)
    assert stream.take_counts() == VoxelCounts(0, 0, found, 9**3 - found, canvases=1)
    assert stream.take_counts() == VoxelCounts()


def test_counts_of_several_canvases_are_pooled():
    stream = ExampleStream(make_source(shuffle=False), 0, 0, 0)
    expected = VoxelCounts()
    for _ in range(3):
        truth, seen = stream.canvas.is_object, np.zeros((9, 9, 9), bool)
        canvas = stream.canvas
        while stream.canvas is canvas:  # predicts object everywhere, so visits all 27 positions
            seen[stream.window] = True
            stream.write(np.full((5, 5, 5), 3.0))
            stream.advance()
        assert seen.all()
        found = np.count_nonzero(truth)
        expected += VoxelCounts(found, 9**3 - found, 0, 0, canvases=1)
    assert stream.take_counts() == expected
