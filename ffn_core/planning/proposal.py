"""Training options that follow from what a volume is like, each with its reason.

The rules are rules of thumb: they give a first run that works, not the best one.
"""

import math
from dataclasses import dataclass

import numpy as np

from ffn_core.errors import InputError
from ffn_core.geometry import FovGeometry, Zyx, to_zyx
from ffn_core.model_size import ModelSize
from ffn_core.planning.fingerprint import Fingerprint


@dataclass(frozen=True)
class Network:
    """A network of ``conf/model/``, with the FOVs that a first run of it takes.

    Attributes:
        name: Of the file.
        edge: Of its cubic FOV.
        delta: Of its moves.
        size: Depth and features.
        micro_batch_size: FOVs in one pass.
        fovs: Budget of a first run.
    """

    name: str
    edge: int
    delta: int
    size: ModelSize
    micro_batch_size: int
    fovs: int


NETWORKS = (
    Network("tiny", 13, 3, ModelSize(4, 8), 16, 30_000),
    Network("small", 17, 4, ModelSize(6, 16), 4, 100_000),
)
"""What trains on a workstation, from the smallest on."""

LARGE = Network("paper", 33, 8, ModelSize(12, 32), 1, 1_000_000)
"""What large objects need, on a cluster."""

NODES = 8
"""Logical nodes, whose FOVs one step averages over."""

PEAK_RATE = 1e-3
"""Adam's rate with `NODES` nodes, one FOV each: networks of both sizes learn at it."""

FRACTIONS = (0.25, 0.3, 0.35, 0.4, 0.5)
"""Shares of the long axis to hold out: the first that leaves room is taken."""

LEAST_PLACES = 4
"""Positions of a canvas along an axis, in training and in validation."""

LEAST_SIZES = (10_000, 5000, 2000, 1000, 500, 200, 100, 50, 1)
KEPT_SHARE = 0.9
"""Of all labeled object voxels, at least this share is in objects that are trained on."""

EVALUATIONS = 20
"""Along a run: scoring then takes a small part of the time."""


@dataclass(frozen=True)
class Choice:
    """Options that are given together, as they are typed, and why; no option is a remark."""

    options: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Proposal:
    """A first run.

    Attributes:
        network: Where sizes come from.
        geometry: Its FOV and moves for these voxels.
        choices: All that follows.
    """

    network: Network
    geometry: FovGeometry
    choices: tuple[Choice, ...]


def propose(found: Fingerprint) -> Proposal:
    """The options of a first run on a volume.

    Raises:
        InputError: No network fits.
    """
    network, geometry, fraction = _fitting(found)
    remarks = []
    if network.edge < found.thickness / 1.5:
        remarks.append(
            Choice(
                (),
                f"objects are {found.thickness:.0f} voxels thick, a FOV of {network.edge} sees only"
                f" a part: model={LARGE.name} sees {LARGE.edge}, on a cluster; or halve the volume"
                " with `python -m experiments.data downsample --factor 2`",
            )
        )
    choices = [
        *_of_labels(found),
        Choice(_model_options(network, geometry), _why_network(found, geometry)),
        *_axes(found, geometry),
        _least_size(found),
        _held_out(found, fraction),
        *_schedule(network),
        *remarks,
    ]
    return Proposal(network, geometry, tuple(choices))


def geometry_of(network: Network, edges: tuple[float, ...], thickness: float) -> FovGeometry:
    """FOV and moves that span about the same length along all axes.

    A move is at most as long as objects are thick: the next position still lies in the object.
    """
    fov = to_zyx(max(3, _odd(network.edge / edge)) for edge in edges)
    deltas = []
    for size, edge in zip(fov, edges, strict=True):
        most = min(size // 2, max(1, math.floor(thickness / edge)))
        deltas.append(min(most, max(1, round(network.delta / edge))))
    return FovGeometry(fov, to_zyx(deltas))


def _odd(length: float) -> int:
    """The nearest odd number."""
    return 2 * round((length - 1) / 2) + 1


def _fitting(found: Fingerprint) -> tuple[Network, FovGeometry, float]:
    """Network, geometry and share to hold out: the smallest network that sees whole objects.

    Where it does not fit, a smaller one.
    """
    wanted = next((n for n in NETWORKS if n.edge >= found.thickness), NETWORKS[-1])
    candidates = [n for n in reversed(NETWORKS) if n.edge <= wanted.edge]
    for network in candidates:
        geometry = geometry_of(network, found.edges, found.thickness)
        if (fraction := held_out_fraction(found, geometry)) is not None:
            return network, geometry, fraction
    canvas = geometry.canvas_zyx
    raise InputError(
        f"labels of {found.labeled.shape_zyx} voxels in a volume of {found.shape_zyx} (zyx) hold no"
        f" canvases of {canvas} to train on and others to validate on: label more, or give a second"
        " volume in validation.volumes with validation.fraction=0"
    )


def held_out_fraction(found: Fingerprint, geometry: FovGeometry) -> float | None:
    """The share of the longest labeled axis that leaves places on both sides; None if none does.

    Canvases lie in the volume, are centered on labeled voxels, and those of training and of
    validation share no voxel; see `experiments.data.dataset`.
    """
    axis = int(np.argmax(found.labeled.shape_zyx))
    radius = geometry.canvas_radius_zyx
    sides = zip(
        found.labeled.start_zyx, found.labeled.stop_zyx, radius, found.shape_zyx, strict=True
    )
    places = [(max(a, r), min(b, n - r)) for a, b, r, n in sides]
    if any(high - low < 1 for low, high in places):
        return None
    low, high = places[axis]
    extent, first = found.labeled.shape_zyx[axis], found.labeled.start_zyx[axis]
    whole = found.labeled.shape_zyx == found.shape_zyx
    needed = 2 * radius[axis] + 1 if whole else radius[axis] + 1
    for fraction in FRACTIONS:
        within = round(extent * (1 - fraction))
        trained, held_out = (
            first + within - radius[axis] - low,
            high - first - within - radius[axis],
        )
        if min(trained, held_out) >= LEAST_PLACES and min(within, extent - within) >= needed:
            return fraction
    return None


def least_object_size(sizes: np.ndarray) -> int:
    """The largest usual size below which objects hold at most a tenth of all object voxels.

    Fragments are left out, and most of what was labeled is kept.
    """
    total = sizes.sum()
    return next(n for n in LEAST_SIZES if sizes[sizes >= n].sum() >= KEPT_SHARE * total)


def _of_labels(found: Fingerprint) -> list[Choice]:
    said = (
        f"{len(found.sizes):,} objects fill {found.sizes.sum() / found.labeled_voxels:.0%} of what"
        f" is labeled, {found.labeled_voxels / math.prod(found.shape_zyx):.0%} of the volume"
    )
    choices = [Choice((), said)]
    if found.found_box:
        corners = [list(found.labeled.start_zyx), list(found.labeled.stop_zyx)]
        choices = [
            Choice(
                (f"data.labels_box={corners}".replace(" ", ""),),
                f"{said}: outside this box labels are 0 everywhere, taken as not annotated; leave"
                " it out if that is background",
            )
        ]
    choices.append(
        Choice((), f"intensities are {found.mean:.4g} +- {found.stddev:.3g}: measured, normalized")
    )
    return choices


def _model_options(network: Network, geometry: FovGeometry) -> tuple[str, ...]:
    options = [f"model={network.name}"]
    if geometry.fov_zyx != (network.edge,) * 3:
        options.append(_listed("model.fov_zyx", geometry.fov_zyx))
    if geometry.deltas_zyx != (network.delta,) * 3:
        options.append(_listed("model.deltas_zyx", geometry.deltas_zyx))
    return tuple(options)


def _why_network(found: Fingerprint, geometry: FovGeometry) -> str:
    said = f"objects are about {found.thickness:.0f} voxels thick (median of the larger half)"
    if found.voxel_nm is None:
        return (
            f"{said}; nothing says how large voxels are, taken as cubes: data.voxel_size_nm and"
            " --voxel-size-nm give their edges"
        )
    z, y, x = (f * nm for f, nm in zip(geometry.fov_zyx, found.voxel_nm, strict=True))
    return f"{said} of {min(found.voxel_nm):g} nm; the FOV is {z:.0f} x {y:.0f} x {x:.0f} nm"


def _axes(found: Fingerprint, geometry: FovGeometry) -> list[Choice]:
    """Axes that may change places: those along which voxels, FOV and moves are alike."""
    kinds = list(zip(found.edges, geometry.fov_zyx, geometry.deltas_zyx, strict=True))
    alike = max(([a for a in range(3) if kinds[a] == kind] for kind in kinds), key=len)
    if len(alike) == 3:
        return []
    names = "zyx"
    if len(alike) == 1:
        return [Choice(("data.permute_axes=[]",), "voxels differ along all axes")]
    words = " and ".join(names[a] for a in alike)
    return [
        Choice(
            (_listed("data.permute_axes", alike),),
            f"only {words} look alike: examples are turned in that plane, and reflected along all",
        )
    ]


def _least_size(found: Fingerprint) -> Choice:
    least = least_object_size(found.sizes)
    kept = found.sizes[found.sizes >= least]
    return Choice(
        (f"data.min_object_voxels={least}",),
        f"keeps {len(kept):,} of {len(found.sizes):,} objects with"
        f" {kept.sum() / found.sizes.sum():.0%} of their voxels; the rest are fragments",
    )


def _held_out(found: Fingerprint, fraction: float) -> Choice:
    axis = int(np.argmax(found.labeled.shape_zyx))
    extent = found.labeled.shape_zyx[axis]
    return Choice(
        (f"validation.fraction={fraction:g}",),
        f"the last {extent - round(extent * (1 - fraction))} of {extent} labeled voxels along"
        f" {'zyx'[axis]}, the longest axis",
    )


def _schedule(network: Network) -> list[Choice]:
    base = float(f"{PEAK_RATE / math.sqrt(NODES):.2g}")
    return [
        Choice(
            (f"cluster.nodes={NODES}", f"learning_rate.base={base:g}"),
            f"a step averages over {NODES} FOVs, at Adam's {PEAK_RATE:g}: with the rule sqrt, base"
            f" times the root of {NODES}; it follows if you change cluster.nodes",
        ),
        Choice(
            (
                f"budget.fovs={network.fovs}",
                f"validation.every_fovs={max(1, network.fovs // EVALUATIONS)}",
            ),
            f"a first run of model={network.name}, scored {EVALUATIONS} times; raise the budget and"
            " repeat the command while the score rises: it continues",
        ),
    ]


def _listed(option: str, values: Zyx | list[int]) -> str:
    return f"{option}=[{','.join(map(str, values))}]"
