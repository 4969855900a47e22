"""What to train on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ffn_core.errors import InputError
from ffn_core.limits.ranges import (
    MOST_BYTES,
    MOST_EXTENT,
    MOST_SEED,
    SMALLEST,
    VOXEL_NM,
    described,
    number,
    numbers,
    option,
)
from ffn_core.sampling.partial_labels import box_of
from ffn_core.training.image_augmentation import ImageAugmentation

MOST_INTENSITY = 1e12
MEAN = "subtracted from intensities; null: the mean of the image"
LABELS_BOX = (
    "labels are true only in a box: its first voxel and the one past its last, [[z,y,x],[z,y,x]]"
)
LABELS_MASK = "name of a volume; labels are true only where it is not 0"
STDDEV = "intensities are divided by it; null: the standard deviation of the image"
SYNTHETIC, FILES, DUMMY = KINDS = ("synthetic", "files", "dummy")


def require_three(lengths: Sequence[float] | None, option: str) -> None:
    """Check that an option of one number per axis has three, if it is given.

    Raises:
        InputError: It has not.
    """
    if lengths is not None and len(lengths) != 3:
        raise InputError(f"{option}={list(lengths)} must have three numbers, [z,y,x]")


@dataclass(frozen=True)
class VolumeConfig:
    """One of several volumes to train on.

    ``image``, ``labels`` and both masks are names of volumes (``ffn_core.volumes.opening``). What
    is None is prepared: ``coordinates`` of the labels and masks, ``mean`` and ``stddev`` of the
    image.

    Voxels outside ``labels_box``, and those where ``labels_mask`` is 0, count neither in the loss
    nor in scores; canvases are centered on labeled voxels and may reach beyond. ``mask`` restricts
    only where they are centered.
    """

    image: str = field(metadata=described("name of the volume of intensities"))
    labels: str = field(metadata=described("name of the volume of object ids"))
    coordinates: str | None = option(None, "file of centers; null: computed of labels and mask")
    mask: str | None = option(None, "name of a volume; no canvas is centered where it is false")
    mean: float | None = number(None, MEAN, at_least=-MOST_INTENSITY, at_most=MOST_INTENSITY)
    stddev: float | None = number(None, STDDEV, at_least=SMALLEST, at_most=MOST_INTENSITY)
    weight: float = number(
        1.0,
        "how often canvases are drawn from it, relative to the others; leave a volume out to train"
        " without it",
        at_least=1e-9,
        at_most=1e9,
    )
    labels_box: list[list[int]] | None = number(None, LABELS_BOX, at_least=0, at_most=MOST_EXTENT)
    labels_mask: str | None = option(None, LABELS_MASK)

    def __post_init__(self) -> None:
        if self.labels_box is not None:
            box_of(self.labels_box, "labels_box")


@dataclass(frozen=True)
class DataConfig:
    """What to train on.

    ``kind`` is ``synthetic`` (made on first use, ``size_zyx`` and ``synthetic_seed`` matter),
    ``files`` (``image``, ``labels`` and so on as in `VolumeConfig`, or several ``volumes``) or
    ``dummy`` (constant noise in memory, for timing without input).
    """

    name: str = field(metadata=described("what the data are called in tables"))
    kind: str = option(SYNTHETIC, "synthetic | files | dummy (noise in memory, for timing)")
    cache_dir: str = option("data", "folder of what is prepared once")
    image: str | None = option(None, "name of the volume of intensities")
    labels: str | None = option(None, "name of the volume of object ids")
    coordinates: str | None = option(None, "file of centers; null: computed of labels and mask")
    mask: str | None = option(None, "name of a volume; no canvas is centered where it is false")
    mean: float | None = number(None, MEAN, at_least=-MOST_INTENSITY, at_most=MOST_INTENSITY)
    stddev: float | None = number(None, STDDEV, at_least=SMALLEST, at_most=MOST_INTENSITY)
    labels_box: list[list[int]] | None = number(None, LABELS_BOX, at_least=0, at_most=MOST_EXTENT)
    labels_mask: str | None = option(None, LABELS_MASK)
    volumes: list[VolumeConfig] = option([], "several volumes, instead of image and labels")
    cache_bytes: int = number(
        2 * 1024**3,
        "a rank reads volumes up to this size into memory, and keeps this much of larger ones",
        at_least=0,
        at_most=MOST_BYTES,
    )
    voxel_size_nm: list[float] | None = field(
        default=None,
        metadata=described("edges of a voxel in nm, z, y, x; null: as the image says", VOXEL_NM),
    )
    size_zyx: list[int] = numbers(
        [128, 128, 128],
        "extents of a synthetic volume in voxels",
        at_least=1,
        at_most=MOST_EXTENT,
    )
    synthetic_seed: int = number(1, "seed of a synthetic volume", at_least=0, at_most=MOST_SEED)
    min_object_voxels: int = number(
        1000, "smaller objects are not trained on", at_least=0, at_most=MOST_EXTENT
    )
    reflect_axes: list[int] = numbers(
        [0, 1, 2], "axes (0 = z, 1 = y, 2 = x) flipped at random", at_least=0, at_most=2
    )
    permute_axes: list[int] = numbers(
        [0, 1, 2], "axes (0 = z, 1 = y, 2 = x) exchanged at random", at_least=0, at_most=2
    )

    augmentation: ImageAugmentation = field(default_factory=ImageAugmentation)

    def __post_init__(self) -> None:
        if self.volumes and (self.image or self.labels):
            raise InputError("set either data.image and data.labels or data.volumes, not both")
        if self.volumes and (self.labels_box or self.labels_mask):
            raise InputError(
                "data.labels_box and data.labels_mask are of data.labels: give each of data.volumes"
                " its own labels_box and labels_mask"
            )
        if self.labels_box is not None:
            box_of(self.labels_box, "data.labels_box")
        require_three(self.voxel_size_nm, "data.voxel_size_nm")
        for name in ("reflect_axes", "permute_axes"):
            axes = getattr(self, name)
            if len(set(axes)) != len(axes):
                raise InputError(f"data.{name}={axes} names an axis twice")

    @property
    def sources(self) -> list[VolumeConfig]:
        """The volumes, one or several.

        Raises:
            InputError: There is none.
        """
        if self.volumes:
            return self.volumes
        if not (self.image and self.labels):
            raise InputError("data.kind=files needs data.image and data.labels, or data.volumes")
        return [
            VolumeConfig(
                self.image,
                self.labels,
                self.coordinates,
                self.mask,
                self.mean,
                self.stddev,
                labels_box=self.labels_box,
                labels_mask=self.labels_mask,
            )
        ]
