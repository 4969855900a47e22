"""What stands beside the chunks of an array: attributes, and the OME-Zarr group around it.

OME-Zarr (https://ngff.openmicroscopy.org, versions 0.4 and 0.5) keeps the scales of an image in a
group: ``multiscales`` lists the folders of its arrays with their scale, translation and axes.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ffn_core.errors import InputError
from ffn_core.volumes.placement import UNKNOWN, Placement, nm_of, of_attributes, of_n5

TIMEOUT_S = 10.0
"""How long a server may take to hand out a description."""

_ATTRIBUTES = {"zarr": ".zattrs", "zarr3": "zarr.json", "n5": "attributes.json"}


def attributes(driver: str, kvstore: Any) -> dict[str, Any]:
    """User attributes of an array or group; empty without any.

    Args:
        driver: ``zarr``, ``zarr3`` or ``n5``.
        kvstore: TensorStore's specification of the folder, or its URL.
    """
    import tensorstore as ts  # here: it takes long, and ranks read other formats mostly

    try:
        opened = ts.KvStore.open(kvstore).result(timeout=TIMEOUT_S)
        answer = opened.read(_ATTRIBUTES[driver]).result(timeout=TIMEOUT_S)
        values = json.loads(answer.value) if answer.state == "value" else {}
    except (ValueError, OSError):  # a server that refuses, or no JSON
        return {}
    if driver == "zarr3" and isinstance(values, dict):
        values = values.get("attributes", {})
    return values if isinstance(values, dict) else {}


def scale_folder(group: Mapping[str, Any], index: int, spec: str) -> str | None:
    """Folder of a scale of an OME-Zarr group; None if it is no such group.

    Args:
        group: Its attributes.
        index: 0 for the finest scale.
        spec: Name of the volume, for messages.

    Raises:
        InputError: There is no such scale.
    """
    datasets = _multiscales(group).get("datasets", [])
    if not datasets:
        return None
    if index >= len(datasets):
        raise InputError(f"{spec} has only {len(datasets)} scales: use #0 to #{len(datasets) - 1}")
    return str(datasets[index]["path"])


def placement(
    driver: str, array: Mapping[str, Any], parent: Mapping[str, Any], name: str
) -> Placement:
    """Where an array lies.

    Args:
        driver: Of the array.
        array: Its attributes.
        parent: Those of the group around it.
        name: Of its folder in that group.
    """
    if driver == "n5":
        mine = of_n5(array)
        return mine if mine != UNKNOWN else of_n5({**parent, **array})
    for entry in _multiscales(parent).get("datasets", []):
        if entry.get("path") == name:
            return _of_multiscales(_multiscales(parent), entry)
    return of_attributes(array)


def axis_names(
    array: Mapping[str, Any], parent: Mapping[str, Any], name: str, rank: int
) -> list[str]:
    """Names of the axes of a Zarr array as attributes give them; empty strings if they do not."""
    names = array.get("_ARRAY_DIMENSIONS")
    multiscales = _multiscales(parent)
    if any(entry.get("path") == name for entry in multiscales.get("datasets", [])):
        names = [_axis(axis)["name"] for axis in multiscales.get("axes", [])] or names
    known = isinstance(names, Sequence) and len(names) == rank and not isinstance(names, str)
    return [str(each).lower() for each in names] if known and names else [""] * rank


def _multiscales(group: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first image of an OME-Zarr group; empty for what is none, or not as prescribed."""
    ome = group.get("ome")
    images = (ome if isinstance(ome, Mapping) else group).get("multiscales")
    image = images[0] if isinstance(images, list) and images else None
    datasets = image.get("datasets") if isinstance(image, Mapping) else None
    if not isinstance(datasets, list) or not all(
        isinstance(entry, Mapping) and "path" in entry for entry in datasets
    ):
        return {}
    assert isinstance(image, Mapping)
    return image


def _axis(axis: Any) -> Mapping[str, Any]:
    """Of version 0.3 an axis is its name alone."""
    return axis if isinstance(axis, Mapping) else {"name": str(axis)}


def _of_multiscales(multiscales: Mapping[str, Any], entry: Mapping[str, Any]) -> Placement:
    """Scales of the whole come on top of those of the array."""
    axes = [_axis(axis) for axis in multiscales.get("axes", [])]
    names = [str(axis["name"]).lower() for axis in axes]
    if not {"x", "y", "z"} <= set(names):
        return UNKNOWN
    scale, offset = [1.0] * len(axes), [0.0] * len(axes)
    for source in (entry, multiscales):
        for step in source.get("coordinateTransformations") or []:
            if step.get("type") == "scale":
                scale = [a * b for a, b in zip(scale, step["scale"], strict=False)]
                offset = [a * b for a, b in zip(offset, step["scale"], strict=False)]
            elif step.get("type") == "translation":
                offset = [a + b for a, b in zip(offset, step["translation"], strict=False)]
    order = [names.index(axis) for axis in "zyx"]
    unit = [nm_of(axes[i].get("unit", "nanometer")) for i in order]
    voxel_nm = [scale[i] * u for i, u in zip(order, unit, strict=True)]
    offset_nm = [offset[i] * u for i, u in zip(order, unit, strict=True)]
    return Placement.of_nm(voxel_nm, offset_nm)
