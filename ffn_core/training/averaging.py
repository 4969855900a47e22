"""An exponential moving average of the weights: what they are, less the noise of the last steps.

A learning rate large enough to make progress keeps the weights moving about a good place; their
average lies closer to it (Polyak and Juditsky 1992). It forgets half of itself per half-life, which
is given in FOVs so that it is the same amount of data whatever the batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from ffn_core.training.noise_scale import decay_per_step


class AveragedWeights(tf.Module):
    """The average of a network's weights over steps, kept beside them.

    After weights w_1, ..., w_t it is sum_i d^(t-i) w_i / sum_i d^(t-i), with d the decay per step:
    the average of Adam's moments (Kingma and Ba 2015, section 3) with its correction for the start
    at zero, updated as m_t = m_(t-1) + (1 - d) / c_t (w_t - m_(t-1)) with c_t = 1 - d^t. So the
    first step's weights are its first value. Before that it is the weights it was built with.

    Every rank keeps its own: weights are equal on all ranks after a step, and so are averages.
    """

    def __init__(
        self, weights: Sequence[tf.Variable], fovs_per_step: int, half_life_fovs: float
    ) -> None:
        """Start from the present values of ``weights``.

        Args:
            weights: float32 variables, in the order of ``ConvStack.weights``.
            fovs_per_step: FOVs of one step, summed over all nodes.
            half_life_fovs: FOVs after which older weights count half.
        """
        super().__init__(name="averaged_weights")
        self._weights = list(weights)
        self._decay = decay_per_step(fovs_per_step, half_life_fovs)
        self.correction = 0.0
        self.flat = tf.Variable(self._concatenated(), trainable=False, name="average")

    def next_share(self) -> float:
        """Count one more step; returns the share of its weights in the average."""
        fresh = 1.0 - self._decay
        self.correction = self._decay * self.correction + fresh
        return fresh / self.correction

    def update(self, share: tf.Tensor) -> None:
        """Take the present weights in, with the given share; part of a step's graph."""
        self.flat.assign_add(share * (self._concatenated() - self.flat))

    def values(self) -> list[np.ndarray]:
        """The average as arrays like the weights, in their order."""
        shapes = [tuple(weight.shape) for weight in self._weights]
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
        parts = np.split(self.flat.numpy(), ends[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]

    def restore(self, values: Sequence[np.ndarray], correction: float) -> None:
        """Continue from `values` and ``correction`` of an average of the same weights."""
        self.flat.assign(np.concatenate([value.ravel() for value in values]))
        self.correction = correction

    def restart(self) -> None:
        """Forget all steps: start from the present weights."""
        self.flat.assign(self._concatenated())
        self.correction = 0.0

    def _concatenated(self) -> tf.Tensor:
        return tf.concat([tf.reshape(weight, [-1]) for weight in self._weights], axis=0)
