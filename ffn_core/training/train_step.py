"""One synchronous training step: accumulate micro-batches, average over all nodes, clip, apply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from ffn_core.model import ConvStack
from ffn_core.model_size import ModelSize
from ffn_core.training.averaging import AveragedWeights
from ffn_core.training.noise_scale import (
    SKETCH_SIZE,
    GradientMoments,
    draw_sketch,
    first_group,
    gradient_moments,
)
from ffn_core.training.optimizers import make_optimizer

OBJECT_PROBABILITY = 0.95
"""Soft label of object voxels; all others have one minus this (Januszewski et al. 2018)."""


_LEAST_LABELED = 1e-6
"""FOVs of labeled voxels: less than one voxel of any FOV, so that a step without one divides."""


@dataclass(frozen=True)
class StepResult:
    """What one step measured, the same on every rank.

    Attributes:
        loss: sigmoid cross entropy, mean over voxels, FOVs and nodes.
        gradient_norm: length of the averaged gradient before clipping.
        moments: ingredients of the noise scale; None for a single FOV.
        stop_votes: how many ranks were asked to stop after this step.
        done_votes: how many ranks consider the budget spent with it.
    """

    loss: float
    gradient_norm: float
    moments: GradientMoments | None
    stop_votes: int
    done_votes: int


def fov_losses(
    logits: tf.Tensor, is_object: tf.Tensor, labeled: tf.Tensor | None = None
) -> tf.Tensor:
    """Sigmoid cross entropy with soft labels, mean over the voxels of each FOV.

    Args:
        logits: (b, z, y, x, 1) float32.
        is_object: (b, z, y, x, 1) bool.
        labeled: (b, z, y, x, 1) bool; elsewhere the loss is 0. None: true everywhere.

    Returns:
        (b,) float32.
    """
    low = 1.0 - OBJECT_PROBABILITY
    labels = low + (OBJECT_PROBABILITY - low) * tf.cast(is_object, tf.float32)
    losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)
    if labeled is not None:
        losses *= tf.cast(labeled, tf.float32)
    return tf.reduce_mean(losses, axis=(1, 2, 3, 4))


class Predictor(tf.Module):
    """The network's forward pass with the loss, for batches of any size.

    Attributes:
        model: the network; its weights count as they are at each call.
    """

    def __init__(self, model: ConvStack) -> None:
        """Trace nothing yet."""
        super().__init__(name="predictor")
        self.model = model

    def __call__(
        self,
        image: np.ndarray,
        seed: np.ndarray,
        is_object: np.ndarray,
        labeled: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Logits (b, z, y, x, 1) and the loss of each FOV (b,); arguments as of `fov_losses`."""
        logits, losses = self._predict(image, seed, is_object, labeled)
        return logits.numpy(), losses.numpy()

    @tf.function(reduce_retracing=True, autograph=False)
    def _predict(
        self,
        image: tf.Tensor,
        seed: tf.Tensor,
        is_object: tf.Tensor,
        labeled: tf.Tensor | None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        logits = self.model(image, seed)
        return logits, fov_losses(logits, is_object, labeled)


class TrainStep(tf.Module):
    """The step of one rank, which carries some of the logical nodes.

    Gradients of all its micro-batches are summed in one flat buffer. The loss, what the noise scale
    needs and this rank's votes to end are appended: a single collective carries all.

    Where labels are true in a part only, loss and gradient are means over the labeled voxels of all
    FOVs of the step, each of which weighs the same: the sum of their shares is reduced as well.

    Attributes:
        predict: forward pass of the same network.
    """

    def __init__(
        self,
        model: ConvStack,
        optimizer: Any,
        reduce_sum: Callable[[tf.Tensor], tf.Tensor],
        fovs_per_step: int,
        micro_batch: int,
        clip: float | None,
        first_stream: int = 0,
        average: AveragedWeights | None = None,
        partly_labeled: bool = False,
    ) -> None:
        """Trace nothing yet.

        Args:
            model: the network; its weights are updated in place.
            optimizer: built for ``model.weights``.
            reduce_sum: sums a flat float32 tensor over the ranks.
            fovs_per_step: FOVs of one step, summed over all nodes.
            micro_batch: FOVs in one call of `accumulate`.
            clip: largest magnitude of an entry of the averaged gradient; None for no clipping.
            first_stream: number of this rank's first example stream among those of all nodes; each
                has a FOV in a step, and micro-batches come in their order.
            average: of the same weights, updated after each step; None to keep none.
            partly_labeled: whether `accumulate` is given which voxels are labeled.
        """
        super().__init__(name="train_step")
        self.predict = Predictor(model)
        self._model = model
        self._optimizer = optimizer
        self._reduce_sum = reduce_sum
        self._fovs_per_step = fovs_per_step
        self._micro_batch = micro_batch
        self._clip = clip
        self._average = average
        self._sizes = [int(np.prod(w.shape)) for w in model.weights]
        parameters = sum(self._sizes)
        self._partly_labeled = partly_labeled
        losses = 2 if partly_labeled else 1  # the sum, and that of the labeled shares of FOVs
        self._parts = [parameters, losses, SKETCH_SIZE, 1, 1]  # gradient, loss, sketch, two votes
        self._buffer = tf.Variable(tf.zeros(parameters + losses), trainable=False, name="buffer")
        self._first_stream = self._next_stream = first_stream
        first = first_group(fovs_per_step)
        self._groups = first, fovs_per_step - first
        # The noise scale needs the difference of the mean gradients of the two groups.
        self._difference = tf.Variable(tf.zeros(parameters), trainable=False, name="difference")
        shares = 1 / max(self._groups[0], 1), -1 / self._groups[1]
        self._shares = [tf.constant(share, tf.float32) for share in shares]
        signs, places = draw_sketch(parameters)
        self._sketch_signs, self._sketch_places = tf.constant(signs), tf.constant(places)

    @property
    def model(self) -> ConvStack:
        """The network, whose weights each step changes."""
        return self._model

    @property
    def optimizer(self) -> Any:
        """The built Keras optimizer."""
        return self._optimizer

    @property
    def average(self) -> AveragedWeights | None:
        """Of the weights, after each step; None where there is none."""
        return self._average

    def accumulate(
        self,
        image: tf.Tensor,
        seed: tf.Tensor,
        is_object: tf.Tensor,
        labeled: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Add a micro-batch to the buffer and return its predicted logits (b, z, y, x, 1).

        ``image`` and ``seed`` are (b, z, y, x, 1) float32, ``is_object`` likewise bool, and so is
        ``labeled``, which is given where labels are true in a part only.
        """
        assert self._partly_labeled == (labeled is not None), "as the step was made"
        second = self._next_stream >= self._groups[0]
        self._next_stream += self._micro_batch
        return self._accumulate(image, seed, is_object, self._shares[second], labeled)

    @tf.function(reduce_retracing=True, autograph=False)
    def _accumulate(
        self,
        image: tf.Tensor,
        seed: tf.Tensor,
        is_object: tf.Tensor,
        share: tf.Tensor,
        labeled: tf.Tensor | None,
    ) -> tf.Tensor:
        weights = self._model.weights
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            logits = self._model(image, seed)
            loss = tf.reduce_sum(fov_losses(logits, is_object, labeled))
        gradients = tape.gradient(loss, weights)
        flat = tf.concat([tf.reshape(g, [-1]) for g in gradients], axis=0)
        sums = [loss]
        if labeled is not None:
            shares = tf.reduce_mean(tf.cast(labeled, tf.float32), axis=(1, 2, 3, 4))
            sums.append(tf.reduce_sum(shares))
        self._buffer.assign_add(tf.concat([flat, sums], axis=0))
        self._difference.assign_add(share * flat)
        return logits

    @tf.function(autograph=False)
    def _reduce(self, votes: tf.Tensor) -> tf.Tensor:
        sketch = tf.math.unsorted_segment_sum(
            self._sketch_signs * self._difference, self._sketch_places, SKETCH_SIZE
        )
        mine = tf.concat([self._buffer, sketch, votes], axis=0)
        with tf.control_dependencies([mine]):
            for variable in (self._buffer, self._difference):
                variable.assign(tf.zeros_like(variable))
        return self._reduce_sum(mine)

    def reduce(self, stop: bool = False, done: bool = False) -> tf.Tensor:
        """Sum the buffers of all ranks and empty this one; blocks until every rank is here.

        Args:
            stop: vote for ending after this step although the budget is not spent.
            done: vote for the budget being spent.
        """
        self._next_stream = self._first_stream
        return self._reduce(tf.constant([float(stop), float(done)]))

    @tf.function(autograph=False)
    def _apply(self, total: tf.Tensor, learning_rate: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
        gradient, loss, sketch, stop, done = tf.split(total, self._parts)
        fovs: int | tf.Tensor = self._fovs_per_step
        if self._partly_labeled:
            fovs = tf.maximum(loss[1], _LEAST_LABELED)
            sketch *= self._fovs_per_step / fovs
        flat = gradient / fovs
        norm2 = tf.reduce_sum(tf.square(flat))
        if self._clip is not None:
            flat = tf.clip_by_value(flat, -self._clip, self._clip)
        weights = self._model.weights
        gradients = [
            tf.reshape(part, weight.shape)
            for part, weight in zip(tf.split(flat, self._sizes), weights, strict=True)
        ]
        self._optimizer.learning_rate.assign(learning_rate)
        self._optimizer.apply(gradients, weights)
        if self._average is not None:
            self._average.update(share)
        difference2 = tf.reduce_sum(tf.square(sketch))
        return tf.stack([loss[0] / fovs, norm2, difference2, stop[0], done[0]])

    def apply(self, total: tf.Tensor, learning_rate: float) -> StepResult:
        """Update the weights with the averaged, clipped gradient of what `reduce` returned."""
        rate = tf.constant(learning_rate, tf.float32)
        share = tf.constant(self._average.next_share() if self._average else 0.0, tf.float32)
        measured = self._apply(total, rate, share).numpy()
        loss, norm2, difference2, stop, done = (float(value) for value in measured)
        moments = gradient_moments(*self._groups, difference2, norm2)
        return StepResult(loss, float(np.sqrt(norm2)), moments, round(stop), round(done))


def make_train_step(
    size: ModelSize,
    seed: int,
    optimizer: str,
    arguments: Mapping[str, Any],
    *,
    reduce_sum: Callable[[tf.Tensor], tf.Tensor],
    fovs_per_step: int,
    micro_batch: int,
    clip: float | None,
    precision: str = "float32",
    half_life_fovs: float = 0,
    first_stream: int = 0,
    partly_labeled: bool = False,
) -> TrainStep:
    """Build a network, its optimizer, and the step that trains one by the other.

    Args:
        size: of the network.
        seed: of its first weights.
        optimizer: one of `ffn_core.training.optimizers.NAMES`.
        arguments: of the optimizer, see `make_optimizer`.
        reduce_sum: as the next three, see `TrainStep`.
        fovs_per_step: FOVs of one step, summed over all nodes.
        micro_batch: FOVs in one pass.
        clip: largest magnitude of an entry of the averaged gradient; None for no clipping.
        precision: of the convolutions, one of `ffn_core.model_size.PRECISIONS`.
        half_life_fovs: of the averaged weights; 0 to keep none.
        first_stream: as ``partly_labeled``, see `TrainStep`.
        partly_labeled: whether there are voxels whose truth is not known.

    Raises:
        InputError: for an optimizer that there is not, or arguments that it does not take.
    """
    model = ConvStack(size, seed, precision)
    built = make_optimizer(optimizer, arguments, model.weights)
    average = None
    if half_life_fovs:
        average = AveragedWeights(model.weights, fovs_per_step, half_life_fovs)
    return TrainStep(
        model,
        built,
        reduce_sum,
        fovs_per_step,
        micro_batch,
        clip,
        first_stream,
        average,
        partly_labeled,
    )
