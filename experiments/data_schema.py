"""The section of a run's configuration that says what it trains on."""

from __future__ import annotations

from dataclasses import dataclass, field

from ffn_core.errors import InputError


@dataclass(frozen=True)
class VolumeConfig:
    """One of several volumes to train on.

    ``image``, ``labels`` and ``mask`` are names of volumes (``ffn_core.volumes.opening``). No
    canvas is centred where ``mask`` is false. What is None is prepared: ``coordinates`` of the
    labels and mask, ``mean`` and ``stddev`` of the image. Canvases are drawn from each volume in
    proportion to ``weight``.
    """

    image: str
    labels: str
    coordinates: str | None = None
    mask: str | None = None
    mean: float | None = None
    stddev: float | None = None
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not self.weight > 0:
            raise InputError(
                f"data.volumes: weight={self.weight} of {self.image} must be above 0; leave the"
                " volume out to train without it"
            )


@dataclass(frozen=True)
class DataConfig:
    """What to train on.

    ``kind`` is ``synthetic`` (made on first use, ``size_zyx`` and ``synthetic_seed`` matter),
    ``files`` (``image``, ``labels`` and so on as in `VolumeConfig`, or several ``volumes``) or
    ``dummy`` (constant noise in memory, for timing without input). Volumes of up to
    ``cache_bytes`` are read into memory by each rank; of each larger one that much is kept.
    """

    name: str
    kind: str = "synthetic"
    cache_dir: str = "data"
    image: str | None = None
    labels: str | None = None
    coordinates: str | None = None
    mask: str | None = None
    mean: float | None = None
    stddev: float | None = None
    volumes: list[VolumeConfig] = field(default_factory=list)
    cache_bytes: int = 2 * 1024**3
    size_zyx: list[int] = field(default_factory=lambda: [128, 128, 128])
    synthetic_seed: int = 1
    min_object_voxels: int = 1000
    reflect_axes: list[int] = field(default_factory=lambda: [0, 1, 2])
    permute_axes: list[int] = field(default_factory=lambda: [0, 1, 2])

    def __post_init__(self) -> None:
        if self.cache_bytes < 0:
            raise InputError(f"data.cache_bytes={self.cache_bytes} must be 0 or more")
        if self.volumes and (self.image or self.labels):
            raise InputError("set either data.image and data.labels or data.volumes, not both")

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
                self.image, self.labels, self.coordinates, self.mask, self.mean, self.stddev
            )
        ]
