"""A network as a TensorFlow SavedModel with two signatures and its description.

``serving_default``  one step: inputs ``image`` and ``seed``, output ``logits``
``normalize``        intensities (batch, z, y, x, 1) float32 to ``image`` of the above

Extents z, y, x are those of the FOV, the batch is free. ``assets.extra/network.json`` holds
`Description.values`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from ffn_core.exchange.description import OUTPUT, Description
from ffn_core.model import ConvStack

STEP = "serving_default"
NORMALIZE = "normalize"
DESCRIPTION = "assets.extra/network.json"


class _Module(tf.Module):
    """What is saved: the variables of a network and its functions."""

    def __init__(self, model: ConvStack, description: Description) -> None:
        super().__init__(name="ffn")
        self.network = model
        shape = [None, *description.geometry.fov_zyx, 1]
        image, seed = (tf.TensorSpec(shape, tf.float32, name) for name in ("image", "seed"))
        raw = tf.TensorSpec(shape, tf.float32, "intensities")
        mean, stddev = description.mean, description.stddev
        self.step = tf.function(lambda image, seed: {OUTPUT: model(image, seed)}, [image, seed])
        self.normalize = tf.function(
            lambda intensities: {"image": (intensities - mean) / stddev}, [raw]
        )


def write(folder: Path, model: ConvStack, description: Description) -> None:
    """Write a SavedModel into a new folder."""
    module = _Module(model, description)
    signatures = {STEP: module.step, NORMALIZE: module.normalize}
    tf.saved_model.save(module, str(folder), signatures)
    path = folder / DESCRIPTION
    path.parent.mkdir()
    path.write_text(description.as_json())


def read_back(folder: Path, image: np.ndarray, seed: np.ndarray) -> np.ndarray:
    """Logits of what was written, by its signature; shapes as in `SIGNATURE`."""
    step = tf.saved_model.load(str(folder)).signatures[STEP]
    return np.asarray(step(image=tf.constant(image), seed=tf.constant(seed))[OUTPUT])
