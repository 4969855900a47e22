import functools
import http.server
import threading
from pathlib import Path

import numpy as np
import pytest
import tensorstore as ts

from ffn_core.errors import InputError
from ffn_core.volumes import ArrayVolume, StoreVolume, open_labels, open_mask, open_volume, stores

SHAPE = (4, 5, 6)


@pytest.fixture
def array() -> np.ndarray:
    return np.arange(4 * 5 * 6, dtype=np.uint16).reshape(SHAPE)


def write(folder: Path, driver: str, stored: np.ndarray, **options) -> str:
    spec = {"driver": driver, "kvstore": f"file://{folder}/", **options}
    ts.open(spec, create=True).result()[...] = stored
    return str(folder)


def zarr2(folder: Path, stored: np.ndarray) -> str:
    metadata = {"shape": stored.shape, "chunks": [2] * stored.ndim, "dtype": stored.dtype.str}
    return "zarr:" + write(folder, "zarr", stored, metadata=metadata)


def zarr3(folder: Path, stored: np.ndarray, names: list[str] | None = None) -> str:
    metadata = {"shape": stored.shape, "data_type": stored.dtype.name}
    metadata["chunk_grid"] = {
        "name": "regular",
        "configuration": {"chunk_shape": [2] * stored.ndim},
    }
    if names:
        metadata["dimension_names"] = names
    return "zarr3:" + write(folder, "zarr3", stored, metadata=metadata)


def n5(folder: Path, stored: np.ndarray, axes: list[str] | None = None) -> str:
    metadata = {
        "dimensions": stored.shape,
        "blockSize": [2] * stored.ndim,
        "dataType": stored.dtype.name,
        "compression": {"type": "gzip"},
    }
    return "n5:" + write(folder, "n5", stored, metadata=metadata | ({"axes": axes} if axes else {}))


def precomputed(folder: Path, array_zyx: np.ndarray, key: str = "s0") -> str:
    stored = array_zyx.T[..., np.newaxis]
    options = {
        "multiscale_metadata": {
            "type": "image",
            "data_type": stored.dtype.name,
            "num_channels": 1,
        },
        "scale_metadata": {
            "key": key,
            "size": stored.shape[:3],
            "voxel_offset": [10, 20, 30],
            "encoding": "raw",
            "chunk_size": [2, 2, 2],
            "resolution": [8 * 2 ** int(key[1:])] * 3,
        },
    }
    return "precomputed:" + write(folder, "neuroglancer_precomputed", stored, **options)


WRITERS = {
    "zarr2": zarr2,
    "zarr3": zarr3,
    "zarr3 named xyz": lambda folder, a: zarr3(folder, a.T, ["x", "y", "z"]),
    "zarr3 of one channel": lambda folder, a: zarr3(folder, a[None], ["c", "z", "y", "x"]),
    "zarr2 as in OME-Zarr": lambda folder, a: zarr2(folder, a[None, None]),
    "n5": lambda folder, a: n5(folder, a.T),
    "n5 named zyx": lambda folder, a: n5(folder, a, ["z", "y", "x"]),
    "precomputed": precomputed,
}


@pytest.mark.parametrize("cache_bytes", [0, 10**6])
@pytest.mark.parametrize("form", WRITERS)
def test_every_format_reads_as_zyx(tmp_path, array, form, cache_bytes):
    spec = WRITERS[form](tmp_path / "a", array)
    volume = open_volume(spec, cache_bytes)
    assert isinstance(volume, ArrayVolume if cache_bytes else StoreVolume)
    assert volume.shape_zyx == SHAPE
    assert volume.dtype == np.uint16
    assert volume.source == spec
    window = volume.read((1, 2, 3), (2, 3, 1))
    np.testing.assert_array_equal(window, array[1:3, 2:5, 3:4])
    with pytest.raises(ValueError, match="not inside volume"):
        volume.read((0, 0, 5), (1, 1, 2))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint64", "float32", "float64", "bool"])
def test_types_are_kept(tmp_path, array, dtype):
    stored = (array > 50) if dtype == "bool" else array.astype(dtype)
    volume = open_volume(zarr3(tmp_path / "a", stored), 0)
    assert volume.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(volume.read((0, 0, 0), SHAPE), stored)


def test_labels_and_masks(tmp_path, array):
    assert open_labels(n5(tmp_path / "labels", array.T)).dtype == np.uint16
    assert open_mask(zarr3(tmp_path / "mask", array > 3)).dtype == np.bool_
    image = zarr3(tmp_path / "image", array.astype(np.float32))
    with pytest.raises(InputError, match="labels must be integer"):
        open_labels(image)
    with pytest.raises(InputError, match=r"image is float32; a mask holds booleans"):
        open_mask(image)


def test_chunks_are_in_zyx_order(tmp_path, array):
    metadata = {
        "dimensions": [6, 5, 4],
        "blockSize": [3, 2, 1],
        "dataType": "uint16",
        "compression": {"type": "raw"},
    }
    folder = write(tmp_path / "a", "n5", array.T, metadata=metadata)
    assert open_volume(f"n5:{folder}", 0).chunk_zyx == (1, 2, 3)


def test_scales_of_a_precomputed_volume(tmp_path, array):
    spec = precomputed(tmp_path / "a", array)
    precomputed(tmp_path / "a", array[::2, ::2, ::2], "s1")
    assert open_volume(spec).shape_zyx == SHAPE
    half = open_volume(f"{spec}#1")
    np.testing.assert_array_equal(half.read((0, 0, 0), (2, 3, 3)), array[::2, ::2, ::2])
    with pytest.raises(InputError, match="Scale 2 does not exist"):
        open_volume(f"{spec}#2")
    with pytest.raises(InputError, match="after # comes the number of a scale"):
        open_volume(f"{spec}#big")


@pytest.fixture
def server(tmp_path):
    """The address of a server of ``tmp_path``."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments):
            pass

    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("form", ["zarr2", "zarr3", "n5", "precomputed"])
def test_from_a_server(tmp_path, array, server, form):
    prefix, _, folder = WRITERS[form](tmp_path / "a", array).partition(":")
    url = f"{server}/{Path(folder).name}"
    for spec in (f"{prefix}:{url}", f"{prefix}://{url}"):
        volume = open_volume(spec, 0)
        np.testing.assert_array_equal(volume.read((1, 0, 2), (3, 5, 4)), array[1:, :, 2:])


def test_not_on_the_server(server):
    with pytest.raises(InputError, match=f"no Zarr v3 array at {server}/nowhere") as caught:
        open_volume(f"zarr3:{server}/nowhere")
    assert "\n" not in str(caught.value)


def test_no_network(monkeypatch):
    monkeypatch.setattr(stores, "OPEN_TIMEOUT_S", 0.3)
    address = "http://127.0.0.1:9/em"
    with pytest.raises(InputError, match=rf"no answer from {address} .* is there a network\?"):
        open_volume(f"precomputed:{address}")


def test_errors_name_what_is_there(tmp_path, array):
    spec = zarr3(tmp_path / "group" / "raw", array)
    with pytest.raises(InputError, match=r"no folder .*nowhere \(from volume 'zarr:"):
        open_volume(f"zarr:{tmp_path}/nowhere")
    with pytest.raises(InputError, match=r"there is zarr.json: is it zarr3:\?"):
        open_volume(spec.replace("zarr3:", "zarr:"))
    with pytest.raises(InputError, match="there are Zarr v3 arrays in its folders raw"):
        open_volume(f"zarr3:{tmp_path}/group")
    with pytest.raises(InputError, match="names no path or URL"):
        open_volume("n5:")
    with pytest.raises(InputError, match="unsupported URL scheme") as caught:
        open_volume("zarr:ftp://host/em")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "message"),
    [((4, 5), "3 non-empty axes"), ((2, 4, 5, 6), "others only of one element")],
)
def test_not_a_volume(tmp_path, shape, message):
    with pytest.raises(InputError, match=message):
        open_volume(zarr2(tmp_path / "a", np.zeros(shape, np.uint8)))


def test_a_damaged_chunk(tmp_path, array):
    spec = zarr2(tmp_path / "a", array)
    (tmp_path / "a" / "0.0.0").write_bytes(b"damaged")
    volume = open_volume(spec, 0)
    with pytest.raises(InputError, match="cannot read") as caught:
        volume.read((0, 0, 0), (1, 1, 1))
    assert "\n" not in str(caught.value)
