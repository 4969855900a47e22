"""The simple gradient noise scale of McCandlish et al. 2018, arXiv 1812.06162."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class GradientMoments:
    """Unbiased estimates from one step, appendix A.1 of the paper.

    Attributes:
        squared_norm: |G|^2, squared length of the true gradient.
        noise: tr(Sigma), summed variance of the gradient of one example.
    """

    squared_norm: float
    noise: float


def gradient_moments(
    small_batch: int, small_norm2: float, big_batch: int, big_norm2: float
) -> GradientMoments | None:
    """Separate signal and noise from gradient norms at two batch sizes.

    |G|^2     = (B |G_B|^2 - b |G_b|^2) / (B - b)
    tr(Sigma) = (|G_b|^2 - |G_B|^2) / (1/b - 1/B)

    Args:
        small_batch: b, examples in a micro-batch.
        small_norm2: squared norm of a micro-batch's mean gradient, averaged over micro-batches.
        big_batch: B, examples in the whole step.
        big_norm2: squared norm of the step's mean gradient.

    Returns:
        The two estimates; None if both batches are the same, when they cannot be told apart.
    """
    if small_batch >= big_batch:
        return None
    signal = (big_batch * big_norm2 - small_batch * small_norm2) / (big_batch - small_batch)
    noise = (small_norm2 - big_norm2) / (1 / small_batch - 1 / big_batch)
    return GradientMoments(signal, noise)


def decay_per_step(fovs_per_step: int, half_life_fovs: float) -> float:
    """Decay with which an average has forgotten half of itself after ``half_life_fovs`` FOVs."""
    return float(0.5 ** (fovs_per_step / half_life_fovs))


@dataclass
class NoiseScale:
    """tr(Sigma) / |G|^2 in examples, numerator and denominator smoothed apart.

    Each estimate alone may be negative; a ratio of averages is meaningful where an average of
    ratios is not. The averages are exponential with weight ``1 - decay`` for the newest and are
    corrected for their start at zero.

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
