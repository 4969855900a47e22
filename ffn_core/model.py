"""The flood-filling network: a residual stack of 3-D convolutions over image and seed."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from ffn_core.errors import InputError
from ffn_core.model_size import ModelSize

SCOPE = "seed_update/"
"""Before the names of the layers in checkpoints of google/ffn."""


class ConvStack(tf.Module):
    """The published convolution stack (Januszewski et al. 2018, google/ffn ``convstack_3d``).

    Module 0 is conv-relu-conv; each of the other ``depth - 1`` modules is relu-conv-relu-conv
    with a residual connection around it; a 1x1x1 convolution turns the features into an update
    that is *added* to the seed logits, which is the network's mask feedback.

    With ``precision`` bfloat16 all convolutions but the last take inputs and kernels rounded to
    bfloat16 and return bfloat16; so do their gradients. They add up products in float32 (oneDNN
    does), and all else is float32: weights, biases, residuals, the last layer, logits. With tf32
    GPUs round what goes into all convolutions to TF32, and nothing else; CPUs compute in float32.
    That is a switch of the process, see `ffn_core.runtime.allow_tf32`.
    """

    def __init__(self, size: ModelSize, seed: int, precision: str = "float32") -> None:
        """Draw Glorot-uniform kernels and zero biases, the same for the same ``seed``.

        Args:
            size: depth and features.
            seed: of the kernels.
            precision: one of `ffn_core.model_size.PRECISIONS`.
        """
        super().__init__(name="ffn")
        self.size = size
        self.precision = precision
        rng = np.random.default_rng(seed)
        self.kernels: list[tf.Variable] = []
        self.biases: list[tf.Variable] = []
        for name, shape in size.layers():
            receptive = int(np.prod(shape[:3]))
            limit = np.sqrt(6.0 / (receptive * (shape[3] + shape[4])))
            kernel = rng.uniform(-limit, limit, shape).astype(np.float32)
            self.kernels.append(tf.Variable(kernel, name=f"{name}/weights"))
            self.biases.append(tf.Variable(np.zeros(shape[-1], np.float32), name=f"{name}/biases"))

    @property
    def weights(self) -> list[tf.Variable]:
        """All trainable variables: kernel and bias of each convolution, input side first."""
        return [v for pair in zip(self.kernels, self.biases, strict=True) for v in pair]

    def __call__(self, image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Return the new object-mask logits of a batch of FOVs.

        Args:
            image: (b, z, y, x, 1) float32, normalized by the volume's mean and standard deviation.
            seed: (b, z, y, x, 1) float32 logits, the mask so far.

        Returns:
            (b, z, y, x, 1) float32 logits.
        """
        net = tf.nn.relu(self._conv(tf.concat([image, seed], axis=-1), 0))
        net = self._conv(net, 1)
        for module in range(1, self.size.depth):
            hidden = tf.nn.relu(self._conv(tf.nn.relu(net), 2 * module))
            net += self._conv(hidden, 2 * module + 1)
        return seed + self._conv(tf.nn.relu(net), 2 * self.size.depth)

    def _conv(self, net: tf.Tensor, layer: int) -> tf.Tensor:
        """Float32 in and out; the last layer, which makes the logits, is float32 throughout."""
        last = layer == 2 * self.size.depth
        dtype = tf.bfloat16 if self.precision == "bfloat16" and not last else tf.float32
        kernel = tf.cast(self.kernels[layer], dtype)
        out = tf.nn.conv3d(tf.cast(net, dtype), kernel, strides=[1] * 5, padding="SAME")
        return tf.nn.bias_add(tf.cast(out, tf.float32), self.biases[layer])

    def assign(self, weights: list[np.ndarray]) -> None:
        """Set all weights, in the order of `weights`; shapes must agree."""
        for variable, value in zip(self.weights, weights, strict=True):
            variable.assign(value)


def load_published_checkpoint(prefix: str) -> tuple[ModelSize, list[np.ndarray]]:
    """Read a checkpoint of google/ffn's TensorFlow 1 trainer.

    Args:
        prefix: the path without ``.index`` and ``.data-...``.

    Returns:
        The size found in the file and the weights in the order of `ConvStack.weights`.

    Raises:
        InputError: if there is no readable checkpoint, or it is not an FFN's.
    """
    try:
        reader = tf.train.load_checkpoint(prefix)
        shapes = reader.get_variable_to_shape_map()
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{prefix}: not a readable TensorFlow checkpoint ({reason})") from None
    depth = sum(name.startswith(SCOPE) and name.endswith("_a/weights") for name in shapes)
    if not depth or f"{SCOPE}conv0_a/weights" not in shapes:
        raise InputError(f"{prefix}: has no {SCOPE}conv0_a/weights; is it an FFN checkpoint?")
    size = ModelSize(depth=depth, features=int(shapes[f"{SCOPE}conv0_a/weights"][-1]))
    try:
        return size, [
            reader.get_tensor(f"{SCOPE}{layer}/{kind}")
            for layer, _ in size.layers()
            for kind in ("weights", "biases")
        ]
    except (tf.errors.OpError, ValueError, IndexError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{prefix}: truncated or corrupt checkpoint ({reason})") from None
