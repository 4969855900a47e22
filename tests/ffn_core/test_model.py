import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from ffn_core.errors import InputError
from ffn_core.model import ConvStack, load_published_checkpoint
from ffn_core.model_size import ModelSize

PUBLISHED = ModelSize(depth=12, features=32)


@pytest.fixture
def published(shared_dir) -> Path:
    prefix = shared_dir / "models" / "fib25" / "model.ckpt-27465036"
    if not prefix.with_name(prefix.name + ".index").is_file():
        pytest.skip(f"no published checkpoint {prefix}")
    return prefix


def copy_checkpoint(prefix: Path, folder: Path) -> Path:
    for file in prefix.parent.glob(f"{prefix.name}.*"):
        shutil.copyfile(file, folder / file.name)
    return folder / prefix.name


def random_weights(model: ConvStack, seed: int) -> list[np.ndarray]:
    """Weights with biases that are not zero."""
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 0.4, w.shape).astype(np.float32) for w in model.weights]


def convolve(volume: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """(z, y, x, channels) float64, zeros beyond the border, channel by channel."""
    out = np.zeros((*volume.shape[:3], kernel.shape[-1])) + bias
    for i in range(kernel.shape[3]):
        for o in range(kernel.shape[4]):
            out[..., o] += ndimage.correlate(volume[..., i], kernel[..., i, o], mode="constant")
    return out


def reference(image: np.ndarray, seed: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    """google/ffn ``convstack_3d`` of depth 2, written out; image and seed (z, y, x)."""
    layers = [w.astype(np.float64) for w in weights]
    pairs = list(zip(layers[::2], layers[1::2], strict=True))
    first_a, first_b, second_a, second_b, last = pairs
    net = convolve(np.stack([image, seed], axis=-1), *first_a)
    net = convolve(np.maximum(net, 0), *first_b)
    residual = net
    net = convolve(np.maximum(net, 0), *second_a)
    net = convolve(np.maximum(net, 0), *second_b) + residual
    update = convolve(np.maximum(net, 0), *last)
    return seed + update[..., 0]


def test_published_number_of_parameters():
    # First layer, 23 layers of 32 to 32 channels, the 1x1x1 layer; each with its biases.
    assert (27 * 2 * 32 + 32) + 23 * (27 * 32 * 32 + 32) + (32 + 1) == 638_433
    assert PUBLISHED.parameters == 638_433
    assert sum(int(tf.size(w)) for w in ConvStack(PUBLISHED, seed=0).weights) == 638_433


def test_forward_flops_by_hand():
    # Depth 1, 3 features: 27 * 2 * 3 + 27 * 3 * 3 + 3 * 1 = 408 products per voxel.
    assert ModelSize(depth=1, features=3).forward_flops(10) == 2 * 408 * 10
    assert PUBLISHED.forward_flops(33**3) == 2 * 33**3 * (27 * 64 + 23 * 27 * 1024 + 32)


@pytest.mark.parametrize(("depth", "features"), [(0, 4), (4, 0), (-1, 4)])
def test_impossible_sizes(depth, features):
    with pytest.raises(InputError, match=r"model\.(depth|features)=(0|-1) must be at least 1"):
        ModelSize(depth, features)


def test_forward_pass_against_direct_convolution():
    model = ConvStack(ModelSize(depth=2, features=2), seed=0)
    model.assign(random_weights(model, seed=1))
    rng = np.random.default_rng(2)
    image, seed = rng.normal(size=(2, 3, 5, 5, 6, 1)).astype(np.float32)
    logits = model(tf.constant(image), tf.constant(seed)).numpy()
    assert logits.shape == (3, 5, 5, 6, 1)
    weights = [w.numpy() for w in model.weights]
    expected = [reference(image[i, ..., 0], seed[i, ..., 0], weights) for i in range(3)]
    np.testing.assert_allclose(logits[..., 0], expected, rtol=1e-4, atol=1e-5)
    assert np.abs(logits - seed).max() > 0.1


def test_what_is_rounded_to_bfloat16():
    """One feature, kernels with a 1 in their middle: what is added to the seed, by hand.

    1 + 2^-10 is 1 in bfloat16, which has seven bits after the point. Inputs and kernels of
    convolutions are so rounded, biases and the last layer are not.
    """
    fine, voxel = 1 + 2.0**-10, np.ones((1, 3, 3, 3, 1), np.float32)
    found = {}
    for precision in ("float32", "bfloat16"):
        model = ConvStack(ModelSize(depth=1, features=1), 0, precision)
        first, second = np.zeros((3, 3, 3, 2, 1)), np.zeros((3, 3, 3, 1, 1))
        first[1, 1, 1, 0], second[1, 1, 1] = fine, fine
        kernels = (first, second, np.full((1, 1, 1, 1, 1), fine))
        biases = (0.0, 2.0**-10, 0.0)
        pairs = zip(kernels, biases, strict=True)
        model.assign([v for kernel, bias in pairs for v in (kernel, np.full(1, bias))])
        seed = tf.constant(0.0 * voxel)
        found[precision] = model(tf.constant(np.float32(fine) * voxel), seed)
        assert found[precision].dtype == tf.float32
    exact = (fine**3 + 2.0**-10) * fine
    np.testing.assert_allclose(found["float32"], exact * voxel, rtol=1e-6)
    np.testing.assert_allclose(found["bfloat16"], fine * fine * voxel, rtol=1e-6)


def test_bfloat16_stays_close_to_float32_and_gradients_are_float32():
    rng = np.random.default_rng(0)
    image, seed = (tf.constant(x) for x in rng.normal(size=(2, 4, 7, 7, 7, 1)).astype(np.float32))
    updates, gradients = [], []
    for precision in ("float32", "bfloat16"):
        model = ConvStack(ModelSize(depth=3, features=8), 1, precision)
        with tf.GradientTape() as tape:
            update = model(image, seed) - seed
            loss = tf.reduce_mean(tf.square(update - 1.0))
        found = tape.gradient(loss, model.weights)
        assert {g.dtype for g in found} == {w.dtype for w in model.weights} == {tf.float32}
        updates.append(update.numpy().ravel())
        gradients.append(np.concatenate([g.numpy().ravel() for g in found]))
    for exact, rounded in (updates, gradients):
        error = np.linalg.norm(rounded - exact) / np.linalg.norm(exact)
        assert 1e-3 < error < 0.05  # one rounding is up to 2^-8


def test_initial_weights_are_drawn_from_the_seed():
    size = ModelSize(depth=2, features=8)
    first, same, other = (ConvStack(size, seed) for seed in (0, 0, 1))
    for a, b, c in zip(first.weights, same.weights, other.weights, strict=True):
        np.testing.assert_array_equal(a, b)
        if a.shape.rank == 5:
            assert not np.array_equal(a, c)
            fan_in, fan_out = (int(np.prod(a.shape[:3])) * n for n in a.shape[3:])
            limit = np.sqrt(6 / (fan_in + fan_out))
            assert 0.7 * limit < np.abs(a).max() <= limit
        else:
            np.testing.assert_array_equal(a, 0.0)


def test_assign_refuses_other_weights():
    model = ConvStack(ModelSize(depth=1, features=2), seed=0)
    values = [w.numpy() for w in model.weights]
    with pytest.raises(ValueError, match="shorter"):
        model.assign(values[:-1])
    with pytest.raises(ValueError, match=r"[Ss]hape"):
        model.assign(values[::-1])


def test_published_checkpoint(published):
    size, weights = load_published_checkpoint(str(published))
    assert size == PUBLISHED
    model = ConvStack(size, seed=0)
    model.assign(weights)
    for index, name in [
        (0, "conv0_a/weights"),
        (7, "conv1_b/biases"),
        (46, "conv11_b/weights"),
        (49, "conv_lom/biases"),
    ]:
        stored = tf.train.load_variable(str(published), f"seed_update/{name}")
        np.testing.assert_array_equal(model.weights[index], stored)
        assert np.any(stored)


@pytest.mark.parametrize(
    ("suffix", "size"),
    [("data-00000-of-00001", 2_000_000), ("data-00000-of-00001", 0), ("index", 1000), ("index", 0)],
)
def test_truncated_checkpoint(published, tmp_path, suffix, size):
    prefix = copy_checkpoint(published, tmp_path)
    file = prefix.with_name(f"{prefix.name}.{suffix}")
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(InputError, match=r"corrupt|not a readable") as caught:
        load_published_checkpoint(str(prefix))
    assert str(prefix) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["nowhere/model.ckpt-1", "model.ckpt-1", ""])
def test_no_checkpoint(tmp_path, path):
    with pytest.raises(InputError, match="not a readable TensorFlow checkpoint") as caught:
        load_published_checkpoint(str(tmp_path / path))
    assert str(tmp_path / path) in str(caught.value)


def test_checkpoint_of_something_else(tmp_path):
    prefix = tf.train.Checkpoint(v=tf.Variable(1.0)).write(str(tmp_path / "other"))
    with pytest.raises(InputError, match="other: has no seed_update/conv0_a/weights"):
        load_published_checkpoint(prefix)
