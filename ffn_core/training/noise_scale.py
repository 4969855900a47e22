"""The simple gradient noise scale of McCandlish et al. 2018, arXiv 1812.06162.

The paper compares gradients of a small and a large batch. The small batch here is half of a step:
that is the same however many processes share the step, and costs neither a backward pass nor more
than `SKETCH_SIZE` numbers in the sum over them.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

SKETCH_SIZE = 1024
"""Numbers that stand for a difference of gradients, of which only the length is wanted."""


@dataclass(frozen=True)
class GradientMoments:
    """Unbiased estimates from one step.

    Attributes:
        squared_norm: |G|^2, squared length of the true gradient.
        noise: tr(Sigma), summed variance of the gradient of one example.
    """

    squared_norm: float
    noise: float


def first_group(examples: int) -> int:
    """Size of the first of two groups that the examples of a step are split into.

    Example number i of the step, counted over all nodes in their order, is in the first group if i
    is below this: a matter of the examples alone, not of who carries them. Half of an even number.
    With q the smallest prime factor of an odd one, the largest multiple of ``examples / q`` below
    half, so that groups can still be cut into wide micro-batches. 0 for a single example.
    """
    factors = range(2, math.isqrt(examples) + 1)
    factor = next((q for q in factors if examples % q == 0), examples)
    return examples // factor * (factor // 2)


def gradient_moments(
    first: int, second: int, difference2: float, norm2: float
) -> GradientMoments | None:
    """Separate signal and noise of a gradient by two groups of independent examples.

    With G_1 and G_2 the mean gradients of n_1 and n_2 examples and G_B that of all B of them,

        tr(Sigma) = |G_1 - G_2|^2 / (1/n_1 + 1/n_2)
        |G|^2     = |G_B|^2 - tr(Sigma) / B

    which for equal groups is appendix A.1 of the paper with b = B/2. If gradients are normal, G_B
    and G_1 - G_2 are independent, and from step to step, whatever n_1 and n_2 are,

        Var tr(Sigma) = 2 tr(Sigma^2)
        Var |G|^2     = 4 tr(Sigma^2) / B^2 + 4 G' Sigma G / B

    (from all single examples: 2 tr(Sigma^2) / (B - 1), and half of the first term). For the
    variance of their ratio see `NoiseScale`.

    Args:
        first: n_1.
        second: n_2.
        difference2: |G_1 - G_2|^2.
        norm2: |G_B|^2.

    Returns:
        The two estimates; None if a group is empty, when they cannot be separated.
    """
    if not first or not second:
        return None
    noise = difference2 / (1 / first + 1 / second)
    return GradientMoments(norm2 - noise / (first + second), noise)


def draw_sketch(length: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw how a vector is shortened to `SKETCH_SIZE` sums of its entries, always the same.

    The squared length of what signs and places make of a vector, ``out[place[i]] += sign[i] *
    vector[i]``, is on average over draws that of the vector, with a relative standard deviation of
    sqrt(2 / SKETCH_SIZE) = 4 % for a vector, less for the mean over many (count sketch, Charikar et
    al. 2002). It is linear, so that sketches of parts add up.

    Returns:
        (length,) float32 signs, +1 or -1, and (length,) int32 places.
    """
    rng = np.random.default_rng(0)
    signs = rng.choice(np.array([-1, 1], np.float32), length)
    return signs, rng.integers(0, SKETCH_SIZE, length, np.int32)


def decay_per_step(fovs_per_step: int, half_life_fovs: float) -> float:
    """Decay with which an average has forgotten half of itself after ``half_life_fovs`` FOVs."""
    return float(0.5 ** (fovs_per_step / half_life_fovs))


@dataclass
class NoiseScale:
    """tr(Sigma) / |G|^2 in examples, numerator and denominator smoothed apart.

    Each estimate alone may be negative; a ratio of averages is meaningful where an average of
    ratios is not. The averages are exponential with weight ``1 - decay`` for the newest and are
    corrected for their start at zero.

    With h the half-life in batches of B examples, about n = 2.9 h steps are averaged. Where the
    noise scale is far above B, its relative standard deviation is about

        2 / sqrt(n d) * (noise scale) / B,    d = tr(Sigma)^2 / tr(Sigma^2)

    (d: directions that share the noise), almost all of it from the signal: of a noise scale a
    hundred times the batch only the order of magnitude can be seen.

    Give ``decay`` by `decay_per_step`: an average over the same amount of data whatever the batch.
    Large batches need few steps for a steady estimate, and with a memory in steps the large
    gradients of the first ones would still be in it when the run ends.
    """

    decay: float = 0.99
    noise: float = 0.0
    squared_norm: float = 0.0
    weight: float = 0.0

    def add(self, moments: GradientMoments | None) -> None:
        """Take in the estimates of one step."""
        if moments is None:
            return
        fresh = 1.0 - self.decay
        self.noise = self.decay * self.noise + fresh * moments.noise
        self.squared_norm = self.decay * self.squared_norm + fresh * moments.squared_norm
        self.weight = self.decay * self.weight + fresh

    @property
    def simple(self) -> float | None:
        """The noise scale; None before the first step or while the signal is not above zero."""
        if not self.weight or self.squared_norm <= 0.0:
            return None
        return self.noise / self.squared_norm

    def state(self) -> dict[str, float]:
        """For a checkpoint; ``NoiseScale(**state)`` restores it."""
        return asdict(self)
