from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from ffn_core.errors import InputError
from ffn_core.volumes import ArrayVolume, StackVolume, open_labels, open_mask, open_volume

SHAPE = (12, 5, 6)


def sections(dtype: str) -> np.ndarray:
    values = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    return values % 3 == 0 if dtype == "bool" else (values % 250).astype(dtype)


def write_files(folder: Path, array: np.ndarray, suffix: str) -> Path:
    """Names sort wrongly as text: section 10 comes before section 9."""
    folder.mkdir(exist_ok=True)
    for z, section in enumerate(array):
        Image.fromarray(section).save(folder / f"em.{z}{suffix}")
    return folder


def whole(spec: str, cache_bytes: int = 0) -> np.ndarray:
    return open_volume(spec, cache_bytes).read((0, 0, 0), SHAPE)


@pytest.mark.parametrize(
    ("suffix", "dtype"),
    [
        (".png", "uint8"),
        (".png", "uint16"),
        (".png", "bool"),
        (".tif", "uint8"),
        (".tiff", "uint16"),
        (".tif", "float32"),
    ],
)
def test_a_folder_of_sections(tmp_path, suffix, dtype):
    array = sections(dtype)
    folder = write_files(tmp_path / "em", array, suffix)
    (folder / "notes.txt").write_text("not a section")
    for spec in (f"stack:{folder}", f"stack:{folder}/em.*{suffix}"):
        for cache_bytes in (0, 10**6):
            volume = open_volume(spec, cache_bytes)
            assert isinstance(volume, ArrayVolume if cache_bytes else StackVolume)
            assert volume.shape_zyx == SHAPE
            assert volume.dtype == np.dtype(dtype)
            window = volume.read((8, 1, 2), (4, 3, 1))
            np.testing.assert_array_equal(window, array[8:, 1:4, 2:3])


@pytest.mark.parametrize(
    "dtype", ["uint8", "uint16", "uint32", "uint64", "float32", "float64", "bool"]
)
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"byteorder": ">"}])
def test_one_tiff_of_many_pages(tmp_path, dtype, options):
    array = sections(dtype)
    tifffile.imwrite(tmp_path / "em.tif", array, photometric="minisblack", **options)
    volume = open_volume(f"stack:{tmp_path}/em.tif", 0)
    assert volume.dtype == np.dtype(dtype)
    assert volume.dtype.isnative
    np.testing.assert_array_equal(volume.read((0, 0, 0), SHAPE), array)


def test_a_compression_of_another_library_and_imagej(tmp_path):
    array = sections("uint8")
    first, *rest = (Image.fromarray(section) for section in array)
    first.save(tmp_path / "lzw.tif", compression="tiff_lzw", save_all=True, append_images=rest)
    np.testing.assert_array_equal(whole(f"stack:{tmp_path}/lzw.tif"), array)
    tifffile.imwrite(tmp_path / "imagej.tif", array, imagej=True)
    np.testing.assert_array_equal(whole(f"stack:{tmp_path}/imagej.tif"), array)


def test_labels_and_masks(tmp_path):
    assert open_labels(f"stack:{write_files(tmp_path / 'l', sections('uint16'), '.png')}")
    assert open_mask(f"stack:{write_files(tmp_path / 'm', sections('bool'), '.png')}")


def test_as_many_sections_are_kept_as_the_cache_holds(tmp_path, monkeypatch):
    folder = write_files(tmp_path / "em", sections("uint8"), ".png")
    volume = open_volume(f"stack:{folder}", cache_bytes=2 * 5 * 6)  # two sections
    opened = []
    monkeypatch.setattr(
        Image, "open", lambda path, open_=Image.open: opened.append(path) or open_(path)
    )
    for z in (0, 1, 0, 1, 2, 0):
        volume.read((z, 0, 0), (1, 1, 1))
    assert [path.name for path in opened] == ["em.0.png", "em.1.png", "em.2.png", "em.0.png"]


def test_errors_name_the_file_and_the_fix(tmp_path):
    folder = write_files(tmp_path / "em", sections("uint8"), ".png")
    with pytest.raises(InputError, match="no PNG or TIFF images at '/nowhere'"):
        open_volume("stack:/nowhere")
    with pytest.raises(InputError, match=f"write stack:{folder} for PNG"):
        open_volume(str(folder))
    with pytest.raises(InputError, match=r"write stack:em\.tif for PNG"):
        open_volume("em.tif")
    Image.fromarray(np.zeros((5, 7), np.uint8)).save(folder / "em.3.png")
    with pytest.raises(InputError, match=r"section 3 of .* is uint8 of \(5, 7\) .* \(5, 6\)"):
        open_volume(f"stack:{folder}")
    (folder / "em.3.png").write_text("nothing")
    with pytest.raises(InputError, match=r"em\.3\.png is not a readable image"):
        open_volume(f"stack:{folder}")
    Image.fromarray(np.zeros((5, 6), np.uint8)).save(folder / "em.4.tif")
    with pytest.raises(InputError, match="both PNG and TIFF"):
        open_volume(f"stack:{folder}")


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_colors_are_refused(tmp_path, name):
    Image.fromarray(np.zeros((5, 6, 3), np.uint8)).save(tmp_path / name)
    with pytest.raises(InputError, match="one gray channel"):
        open_volume(f"stack:{tmp_path}/{name}")


def test_damaged_and_nested_tiffs(tmp_path):
    (tmp_path / "bad.tif").write_bytes(b"II*\0nothing")
    with pytest.raises(InputError, match=r"bad\.tif is not a readable TIFF"):
        open_volume(f"stack:{tmp_path}/bad.tif")
    for name in ("a.tif", "b.tif"):
        tifffile.imwrite(tmp_path / name, sections("uint8"), photometric="minisblack")
    with pytest.raises(InputError, match=r"a\.tif has 12 pages; a file of a stack has one"):
        open_volume(f"stack:{tmp_path}/[ab].tif")


def pages(path: Path, parts: list[np.ndarray], **options: object) -> str:
    """Each part written by a call of its own, which makes a series of each."""
    with tifffile.TiffWriter(path) as writer:
        for part in parts:
            writer.write(part, photometric="minisblack", **options)
    return f"stack:{path}"


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"metadata": None}])
@pytest.mark.parametrize("thickness", [[1] * 12, [4, 8], [5, 1, 6]])
@pytest.mark.parametrize("cache_bytes", [0, 10**6])
def test_sections_written_in_several_calls(tmp_path, options, thickness, cache_bytes):
    array = sections("uint16")
    cuts = np.cumsum(thickness)[:-1]
    parts = [part[0] if len(part) == 1 else part for part in np.split(array, cuts)]
    spec = pages(tmp_path / "em.tif", parts, **options)
    np.testing.assert_array_equal(whole(spec, cache_bytes), array)
    window = open_volume(spec, cache_bytes).read((3, 1, 2), (4, 2, 3))
    np.testing.assert_array_equal(window, array[3:7, 1:3, 2:5])


def test_sections_that_were_appended(tmp_path):
    array = sections("uint8")
    for section in array:
        tifffile.imwrite(tmp_path / "em.tif", section, append=True)
    np.testing.assert_array_equal(whole(f"stack:{tmp_path}/em.tif"), array)


@pytest.mark.parametrize("options", [{}, {"metadata": None, "contiguous": False}])
def test_a_page_of_another_size_is_named(tmp_path, options):
    parts = list(sections("uint8"))
    parts[7] = parts[7][:4]
    with pytest.raises(InputError, match=r"page 7 \(of 0 to 11\) of .* \(4, 6\) .* \(5, 6\)"):
        open_volume(pages(tmp_path / "em.tif", parts, **options))
    parts[7] = sections("uint16")[7]
    with pytest.raises(InputError, match=r"page 7 .* uint16 .*, the first one uint8"):
        open_volume(pages(tmp_path / "em.tif", parts, **options))


@pytest.mark.parametrize(
    ("shape", "axes", "counts"),
    [
        ((4, 3, 5, 6), "ZCYX", "4 sections x 3 channels"),
        ((2, 6, 5, 6), "TZYX", "2 points in time x 6 sections"),
    ],
)
@pytest.mark.parametrize("options", [{"imagej": True}, {"ome": True}])
def test_channels_and_points_in_time_are_no_sections(tmp_path, shape, axes, counts, options):
    array = sections("uint8").reshape(shape)
    described = {"metadata": {"axes": axes}, "photometric": "minisblack"}
    tifffile.imwrite(tmp_path / "em.tif", array, **described, **options)
    with pytest.raises(InputError, match=f"em.tif holds {counts} .* stack of its own"):
        open_volume(f"stack:{tmp_path}/em.tif")


def test_sections_by_another_name_are_said(tmp_path):
    """What writers without a z axis make of a stack."""
    array = sections("uint8")
    for axes, what in (("CYX", "channels"), ("TYX", "points in time")):
        options = {"imagej": True, "metadata": {"axes": axes}}
        tifffile.imwrite(tmp_path / "em.tif", array, **options)
        volume = open_volume(f"stack:{tmp_path}/em.tif")
        assert volume.doubts == f"its images are called {what}: taken as sections"
        np.testing.assert_array_equal(volume.read((0, 0, 0), SHAPE), array)
    tifffile.imwrite(tmp_path / "em.tif", array, imagej=True, metadata={"axes": "ZYX"})
    assert open_volume(f"stack:{tmp_path}/em.tif").doubts == ""


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}])
def test_a_tiff_that_was_cut_off(tmp_path, options):
    path = tmp_path / "em.tif"
    array = np.random.default_rng(0).integers(0, 255, (12, 50, 60), np.uint8)
    tifffile.imwrite(path, array, photometric="minisblack", **options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"em\.tif") as caught:
        open_volume(f"stack:{path}")
    assert "\n" not in str(caught.value)


def test_images_of_an_ome_tiff_that_lie_in_lost_files(tmp_path):
    """tifffile reads them as zeros."""
    array = sections("uint8")
    described = {"axes": "ZYX"}
    tifffile.imwrite(tmp_path / "a.ome.tif", array[:6], metadata=described)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        text = file.ome_metadata
    assert text is not None
    uuid = '<UUID FileName="b.ome.tif">urn:uuid:00000000-0000-0000-0000-000000000001</UUID>'
    more = f'<TiffData FirstZ="6" IFD="0" PlaneCount="6">{uuid}</TiffData></Pixels>'
    text = text.replace('SizeZ="6"', 'SizeZ="12"').replace("</Pixels>", more)
    (tmp_path / "a.ome.tif").unlink()
    tifffile.imwrite(tmp_path / "a.ome.tif", array[:6], description=text, metadata=None)
    with pytest.raises(InputError, match=r"names 6 images that are not there"):
        open_volume(f"stack:{tmp_path}/a.ome.tif")
