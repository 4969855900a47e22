"""Faults of electron microscopes, put on training images: contrast, noise, blur, lost sections.

They change an image and leave the truth as it is. All are off by default, and take no random number
then: streams draw what they drew before there were any.
"""

from dataclasses import dataclass, fields

import numpy as np

from ffn_core.limits.ranges import number


@dataclass(frozen=True)
class ImageAugmentation:
    """How far training images are changed, drawn evenly for each canvas; 0 is off.

    Intensities are in standard deviations of the volume. A section is one z of the stored volume,
    whichever way the canvas is turned afterwards.
    """

    contrast: float = number(
        0.0, "intensities are multiplied by 1 - this to 1 + this", at_least=0, below=1
    )
    brightness: float = number(
        0.0, "up to this many standard deviations are added or taken off", at_least=0, at_most=10
    )
    noise: float = number(
        0.0,
        "noise of a standard deviation from 0 to this, in that of the volume",
        at_least=0,
        at_most=10,
    )
    blur: float = number(
        0.0,
        "Gaussian blur within sections, with a sigma from 0 to this in voxels",
        at_least=0,
        at_most=20,
    )
    missing_sections: float = number(
        0.0, "chance of each section to be lost, gray as the mean", at_least=0, at_most=1
    )
    shifted_sections: float = number(
        0.0, "chance of each section to be shifted along y and x", at_least=0, at_most=1
    )
    shift_voxels: int = number(
        2, "a shifted section lies up to this many voxels off", at_least=0, at_most=1023
    )

    @property
    def is_on(self) -> bool:
        """Whether images are changed at all."""
        values = (getattr(self, each.name) for each in fields(self) if each.name != "shift_voxels")
        return any(values)

    def apply(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A changed copy of a normalized image.

        Args:
            image: (z, y, x) float32, of mean 0 and standard deviation 1 over the volume.
            rng: Of this canvas alone: how many numbers are drawn depends on what is on.
        """
        changed = image.astype(np.float32)
        if self.blur:
            from scipy import ndimage  # which ranks load only where images are blurred

            sigma = rng.uniform(0, self.blur)
            changed = ndimage.gaussian_filter(changed, (0, sigma, sigma), mode="nearest")
        if self.shifted_sections:
            self._shift_sections(changed, rng)
        if self.contrast:
            changed *= np.float32(rng.uniform(1 - self.contrast, 1 + self.contrast))
        if self.brightness:
            changed += np.float32(rng.uniform(-self.brightness, self.brightness))
        if self.noise:
            strength = np.float32(rng.uniform(0, self.noise))
            changed += strength * rng.standard_normal(changed.shape, np.float32)
        if self.missing_sections:
            changed[rng.random(len(changed)) < self.missing_sections] = 0
        return changed

    def _shift_sections(self, image: np.ndarray, rng: np.random.Generator) -> None:
        """Shift sections in place; what comes in at the border repeats the last voxel there."""
        most = self.shift_voxels
        chosen = rng.random(len(image)) < self.shifted_sections
        shifts = rng.integers(-most, most + 1, size=(len(image), 2))
        height, width = image.shape[1:]
        for z in np.flatnonzero(chosen):
            down, right = shifts[z]
            rows = np.clip(np.arange(height) - down, 0, height - 1)
            columns = np.clip(np.arange(width) - right, 0, width - 1)
            image[z] = image[z][np.ix_(rows, columns)]
