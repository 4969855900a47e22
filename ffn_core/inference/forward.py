"""The network as the segmentation sees it: arrays in, arrays out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from ffn_core.model import ConvStack

if TYPE_CHECKING:
    from ffn_core.inference.segmentation import Forward


def make_forward(model: ConvStack) -> Forward:
    """Compile the forward pass of ``model``; one graph for each batch shape it is called with."""
    compiled = tf.function(model.__call__, reduce_retracing=False, autograph=False)
    return lambda image, seed: compiled(tf.constant(image), tf.constant(seed)).numpy()
