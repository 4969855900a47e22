"""Where volumes lie and how large their voxels are, as each format says it."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import tensorstore as ts
import tifffile

from ffn_core.errors import InputError
from ffn_core.volumes import (
    UNKNOWN,
    ArrayVolume,
    Placement,
    absolute_spec,
    axis_order_doubt,
    check_pair,
    known_voxel_nm,
    open_volume,
    stored_at,
    voxel_size_doubt,
)

SHAPE = (4, 5, 6)
NM = (30.0, 9.0, 8.0)
"""Edges of a voxel, z, y, x: the same in all formats."""


def array() -> np.ndarray:
    return np.arange(np.prod(SHAPE), dtype=np.uint8).reshape(SHAPE) + 1


def amend(path: Path, **values: object) -> None:
    known = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps(known | values))


def placed(spec: str) -> Placement:
    """The same whether it is read into memory or not."""
    kept, windowed = open_volume(spec).placement, open_volume(spec, 0).placement
    assert kept == windowed
    return kept


@pytest.mark.parametrize(
    "attributes",
    [
        {"resolution": NM, "offset": (60, 27, 8)},
        {"resolution": NM, "offset": (60, 27, 8), "units": ["nm", "nm", "nm"]},
        {"resolution": (0.03, 0.009, 0.008), "offset": (0.06, 0.027, 0.008), "units": "um"},
        {"voxel_size": NM, "offset": (60, 27, 8)},
    ],
)
def test_hdf5(tmp_path, formats, attributes):
    spec = formats["HDF5"](tmp_path / "a", array())
    assert placed(spec) == UNKNOWN
    with h5py.File(tmp_path / "a" / "a.h5", "a") as file:
        file["raw"].attrs.update(attributes)
    found = placed(spec)
    assert found.voxel_nm == pytest.approx(NM)
    assert found.offset_zyx == pytest.approx((2, 3, 1))


@pytest.mark.parametrize(
    "attributes",
    [
        {"resolution": [0, 8, 8]},
        {"resolution": [8, 8]},
        {"resolution": "fine"},
        {"resolution": [8, 8, 8], "units": "furlong"},
        {"element_size_um": [1, 2]},
    ],
)
def test_what_makes_no_sense_is_not_said(tmp_path, formats, attributes):
    spec = formats["HDF5"](tmp_path / "a", array())
    with h5py.File(tmp_path / "a" / "a.h5", "a") as file:
        file["raw"].attrs.update(attributes)
    assert placed(spec) == UNKNOWN


def test_ilastik(tmp_path, formats):
    spec = formats["HDF5"](tmp_path / "a", array())
    with h5py.File(tmp_path / "a" / "a.h5", "a") as file:
        file["raw"].attrs["element_size_um"] = [0.03, 0.009, 0.008]
    assert placed(spec).voxel_nm == pytest.approx(NM)


def test_precomputed(tmp_path, write_precomputed):
    spec = write_precomputed(tmp_path / "a", array(), offset_xyz=(1, 3, 2))
    assert placed(spec) == Placement(NM, (2, 3, 1))


@pytest.mark.parametrize(("form", "name"), [("Zarr v2", ".zattrs"), ("N5", "attributes.json")])
def test_attributes_of_chunked_arrays(tmp_path, formats, form, name):
    spec = formats[form](tmp_path / "a", array())
    resolution, offset = list(NM), [60, 27, 8]
    if form == "N5":
        resolution, offset = resolution[::-1], offset[::-1]
    amend(tmp_path / "a" / name, resolution=resolution, offset=offset)
    assert placed(spec) == Placement(NM, (2, 3, 1))


@pytest.mark.parametrize(
    "attributes",
    [
        {"pixelResolution": {"dimensions": [8, 9, 30], "unit": "nm"}},
        {"pixelResolution": [4, 9, 15], "downsamplingFactors": [2, 1, 2]},
        {"transform": {"axes": ["z", "y", "x"], "scale": NM, "units": ["nm"] * 3}},
        {"transform": {"axes": ["x", "y", "z"], "scale": [8, 9, 30]}},
    ],
)
def test_n5(tmp_path, formats, attributes):
    spec = formats["N5"](tmp_path / "a", array())
    amend(tmp_path / "a" / "attributes.json", **attributes)
    assert placed(spec).voxel_nm == NM


def multiscales(unit: str = "nanometer", axes: str = "zyx", **scale: list[float]) -> dict:
    """Two scales of which the second is half as fine."""
    steps = [{"type": "scale", "scale": scale.get("scale", list(NM))}]
    if "translation" in scale:
        steps.append({"type": "translation", "translation": scale["translation"]})
    half = [{"type": "scale", "scale": [2 * n for n in steps[0]["scale"]]}]
    return {
        "axes": [{"name": name, "type": "space", "unit": unit} for name in axes],
        "datasets": [
            {"path": "s0", "coordinateTransformations": steps},
            {"path": "s1", "coordinateTransformations": half},
        ],
    }


def write_group(folder: Path, formats: dict, version: str, described: dict) -> str:
    folder.mkdir()
    form = "Zarr v3" if version == "0.5" else "Zarr v2"
    formats[form](folder / "s0", array())
    formats[form](folder / "s1", array()[::2, ::2, ::2])
    if version == "0.5":
        group = {"zarr_format": 3, "node_type": "group"}
        amend(folder / "zarr.json", **group, attributes={"ome": {"multiscales": [described]}})
        return f"zarr3:{folder}"
    amend(folder / ".zattrs", multiscales=[described])
    return f"zarr:{folder}"


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr(tmp_path, formats, version):
    described = multiscales(translation=[60, 27, 8])
    group = write_group(tmp_path / "a.zarr", formats, version, described)
    for spec in (group, f"{group}#0", f"{group}/s0", f"{group}/"):
        assert placed(spec) == Placement(NM, (2, 3, 1))
        np.testing.assert_array_equal(open_volume(spec).read((0, 0, 0), SHAPE), array())
    for spec in (f"{group}#1", f"{group}/s1"):
        assert placed(spec) == Placement((60, 18, 16), (0, 0, 0))
        assert open_volume(spec).shape_zyx == (2, 3, 3)
    with pytest.raises(InputError, match="has only 2 scales: use #0 to #1"):
        open_volume(f"{group}#2")
    assert absolute_spec(f"{group}#1") == f"{group}#1"
    assert stored_at(f"{group}#1") == [tmp_path / "a.zarr"]


def test_ome_zarr_in_micrometers_with_all_transformations(tmp_path, formats):
    described = multiscales("micrometer", scale=[0.015, 0.0045, 0.004], translation=[0, 0, 0.004])
    described["coordinateTransformations"] = [{"type": "scale", "scale": [2, 2, 2]}]
    found = placed(write_group(tmp_path / "a.zarr", formats, "0.4", described))
    assert found.voxel_nm == pytest.approx(NM)
    assert found.offset_zyx == pytest.approx((0, 0, 1))


def test_axes_are_taken_by_the_name_that_the_group_gives(tmp_path, formats):
    (tmp_path / "a.zarr").mkdir()
    formats["Zarr v2"](tmp_path / "a.zarr" / "s0", np.ascontiguousarray(array().T))
    described = multiscales(axes="xyz", scale=list(NM[::-1]))
    amend(tmp_path / "a.zarr" / ".zattrs", multiscales=[described])
    volume = open_volume(f"zarr:{tmp_path}/a.zarr")
    assert volume.placement.voxel_nm == NM
    np.testing.assert_array_equal(volume.read((0, 0, 0), SHAPE), array())


def test_axes_are_taken_by_the_name_that_xarray_gives(tmp_path, formats):
    spec = formats["Zarr v2"](tmp_path / "a", np.ascontiguousarray(array().T))
    amend(tmp_path / "a" / ".zattrs", _ARRAY_DIMENSIONS=["x", "y", "z"])
    np.testing.assert_array_equal(open_volume(spec).read((0, 0, 0), SHAPE), array())


def test_scales_of_something_else(tmp_path, formats):
    with pytest.raises(InputError, match="no OME-Zarr group with scales; leave out #"):
        open_volume(formats["Zarr v3"](tmp_path / "a", array()) + "#1")
    spec = formats["Zarr v3"](tmp_path / "a#1", array())
    assert open_volume(spec).shape_zyx == SHAPE, "a folder of that name is taken as it is"
    assert stored_at(spec) == [tmp_path / "a#1"]


def test_a_description_that_is_no_json(tmp_path, formats):
    spec = formats["Zarr v2"](tmp_path / "a", array())
    for text in ("[1, 2", "[]", '{"multiscales": 5, "resolution": {}}'):
        (tmp_path / "a" / ".zattrs").write_text(text)
        assert placed(spec) == UNKNOWN


def test_imagej_tiff(tmp_path):
    options = {"imagej": True, "resolution": (1 / 0.008, 1 / 0.009)}
    described = {"spacing": 0.03, "unit": "um", "axes": "ZYX"}
    tifffile.imwrite(tmp_path / "a.tif", array(), metadata=described, **options)
    assert placed(f"stack:{tmp_path}/a.tif").voxel_nm == pytest.approx(NM, rel=1e-4)


def test_ome_tiff(tmp_path):
    described = {"axes": "ZYX", "PhysicalSizeX": 8, "PhysicalSizeXUnit": "nm"}
    described |= {"PhysicalSizeY": 9, "PhysicalSizeYUnit": "nm", "PhysicalSizeZ": 0.03}
    tifffile.imwrite(tmp_path / "a.ome.tif", array(), metadata=described)
    assert placed(f"stack:{tmp_path}/a.ome.tif").voxel_nm == pytest.approx(NM)


def at(*offset: float, nm: tuple[float, float, float] | None = (8.0, 8.0, 8.0), name: str = "a"):
    placement = Placement(nm, offset or None)  # type: ignore[arg-type]
    return ArrayVolume(np.zeros((2, 2, 2)), name, placement=placement)


def test_pairs_begin_at_one_voxel():
    assert check_pair(at(0, 0, 0), at(0, 0, 0)) == ""
    assert check_pair(at(), at(0, 0, 0)) == "", "what begins at the origin says nothing new"
    assert check_pair(at(0.25, 0, 0), at(0, 0, 0)) == "", "scales lie between each other's voxels"
    message = (
        r"image em begins at voxel zyx \(0, 0, 0\), but labels gt at \(16, 0, 2\); both must cover"
    )
    with pytest.raises(InputError, match=message):
        check_pair(at(0, 0, 0, name="em"), at(16, 0, 2, name="gt"))


def test_doubts_about_pairs_are_said():
    said = check_pair(at(name="em"), at(16, 0, 2, name="gt"))
    assert said.startswith("labels gt begins at voxel zyx (16, 0, 2) and image em does not say")
    said = check_pair(at(16, 0, 2, name="em"), at(name="gt"), "mask")
    assert said.startswith("mask em begins at voxel zyx (16, 0, 2) and labels gt does not say")
    said = check_pair(at(0, 0, 0), at(0, 0, 0, nm=(8, 8, 16)))
    assert "voxels of image a are (8, 8, 8) nm (zyx), those of labels a (8, 8, 16) nm" in said
    assert check_pair(at(0, 0, 0), at(0, 0, 0, nm=None)) == ""


def test_every_pair_of_formats_with_offsets_is_compared(tmp_path, formats, write_precomputed):
    image = open_volume(write_precomputed(tmp_path / "em", array(), offset_xyz=(1, 3, 2)))
    spec = formats["Zarr v2"](tmp_path / "a", array())
    amend(tmp_path / "a" / ".zattrs", resolution=NM, offset=[60, 27, 8])
    assert check_pair(image, open_volume(spec)) == ""
    amend(tmp_path / "a" / ".zattrs", offset=[60, 27, 16])
    with pytest.raises(InputError, match=r"em begins at voxel zyx \(2, 3, 1\).* at \(2, 3, 2\)"):
        check_pair(image, open_volume(spec))


def test_placements_are_written_and_read_back(tmp_path):
    placement = Placement(NM, (2, 3, 1))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["raw"] = array()
        file["raw"].attrs.update(placement.attributes)
    assert placed(f"{tmp_path}/a.h5:raw") == placement
    assert UNKNOWN.attributes == {}
    assert placement.at((1, 1, 1)) == Placement(NM, (3, 4, 2))
    assert placement.coarser(2) == Placement((60, 18, 16), (1, 1.5, 0.5))


def test_ome_zarr_from_a_key_value_store(tmp_path, formats):
    """Groups are found by URL as by path."""
    write_group(tmp_path / "a.zarr", formats, "0.4", multiscales())
    assert placed(f"zarr:file://{tmp_path}/a.zarr").voxel_nm == NM
    assert ts.KvStore.open(f"file://{tmp_path}/a.zarr/").result().list().result()


def test_a_given_size_counts_before_what_volumes_say():
    said = Placement(NM)
    assert known_voxel_nm([40, 4, 4], said) == (40, 4, 4)
    assert known_voxel_nm(None, UNKNOWN, said, Placement((1.0, 1.0, 1.0))) == NM
    assert known_voxel_nm(None, UNKNOWN) is None
    assert voxel_size_doubt(None, said, "--voxel-size-nm") == ""
    assert voxel_size_doubt((30.1, 9.0, 8.0), said, "--voxel-size-nm") == "", "below one per cent"
    doubt = voxel_size_doubt((8.0, 9.0, 30.0), said, "--voxel-size-nm")
    assert doubt == "--voxel-size-nm is (8, 9, 30), the image says (30, 9, 8): taken as given"


@pytest.mark.parametrize("size", [None, (8.0, 8.0, 8.0), NM, (8.0, 10.0, 8.0), (30.0, 30.0, 8.0)])
def test_sizes_that_may_be_in_zyx_order(size):
    assert axis_order_doubt(size) == ""


@pytest.mark.parametrize(("size", "axis"), [((8.0, 8.0, 30.0), "x"), ((4.0, 40.0, 4.0), "y")])
def test_sizes_that_look_like_another_order_are_named(size, axis):
    assert f"are longest along {axis}: if these lengths are in x, y, z order" in axis_order_doubt(
        size
    )


def test_shapes_of_another_axis_order_are_named():
    image, labels = (ArrayVolume(np.zeros(shape, np.uint8)) for shape in ((4, 5, 6), (6, 5, 4)))
    with pytest.raises(InputError, match="axes of one of them seem to be in another order"):
        check_pair(image, labels)
