"""What is not there of a volume is said, never filled in silently: chunks, files, filters."""

import functools
import http.server
import json
import shutil
import threading
from pathlib import Path

import h5py
import numpy as np
import pytest
import tensorstore as ts
from PIL import Image

from ffn_core.errors import InputError
from ffn_core.volumes import fingerprint, open_labels, open_volume

SHAPE = (4, 4, 6)
CHUNKS = 2 * 2 * 3


def ones() -> np.ndarray:
    return np.ones(SHAPE, np.uint8)


CHUNKED = ["Zarr v2", "Zarr v3", "N5", "precomputed"]
FIRST = {"Zarr v2": "0.0.0", "Zarr v3": "c/0/0/0", "N5": "0/0/0", "precomputed": "s0/0-2_0-2_0-2"}


def chunk_files(folder: Path) -> list[Path]:
    described = {".zarray", "zarr.json", "attributes.json", "info"}
    return [p for p in folder.rglob("*") if p.is_file() and p.name not in described]


@pytest.fixture
def chunked(request, tmp_path):
    """Name and folder of a volume of twelve chunks."""

    def write(form: str) -> tuple[str, Path]:
        writer = request.getfixturevalue("formats")[form]
        return writer(tmp_path / "a", ones()), tmp_path / "a"

    return write


@pytest.mark.parametrize("form", CHUNKED)
def test_chunks_that_are_missing_are_counted(chunked, form):
    spec, folder = chunked(form)
    assert len(chunk_files(folder)) == CHUNKS
    assert open_volume(spec).doubts == open_volume(spec, 0).doubts == ""
    (folder / FIRST[form]).unlink()
    said = "1 of 12 chunks are not stored and read as 0"
    assert open_volume(spec).doubts == open_volume(spec, 0).doubts == said
    assert open_volume(spec).read((0, 0, 0), SHAPE).sum() == ones().sum() - 8


@pytest.mark.parametrize("form", CHUNKED)
def test_a_volume_without_any_chunk_is_refused(chunked, form):
    spec, folder = chunked(form)
    for path in chunk_files(folder):
        path.unlink()
    for ask in (lambda: open_volume(spec), lambda: open_volume(spec, 0).doubts):
        with pytest.raises(InputError, match=rf"no chunk of {spec} is there, .* restore") as caught:
            ask()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("stored", "declared"), [("/", None), (".", "/")])
def test_chunks_under_other_names_are_found_out(tmp_path, stored, declared):
    """zarr-python before 2.8 wrote nested chunks without saying so."""
    metadata = {"shape": SHAPE, "chunks": [2, 2, 2], "dtype": "|u1", "dimension_separator": stored}
    spec = {"driver": "zarr", "kvstore": f"file://{tmp_path}/a/", "metadata": metadata}
    ts.open(spec, create=True).result()[...] = ones()
    path = tmp_path / "a" / ".zarray"
    values = json.loads(path.read_text()) | {"dimension_separator": declared}
    path.write_text(
        json.dumps({k: v for k, v in values.items() if v is not None or "sep" not in k})
    )
    with pytest.raises(InputError, match=rf'write "dimension_separator": "{stored}" into'):
        open_labels(f"zarr:{tmp_path}/a")


def test_shards_count_as_chunks(tmp_path):
    grid = {"name": "regular", "configuration": {"chunk_shape": [4, 4, 2]}}
    shards = {"name": "sharding_indexed", "configuration": {"chunk_shape": [2, 2, 2]}}
    metadata = {"shape": SHAPE, "data_type": "uint8", "chunk_grid": grid, "codecs": [shards]}
    spec = {"driver": "zarr3", "kvstore": f"file://{tmp_path}/a/", "metadata": metadata}
    store = ts.open(spec, create=True).result()
    store[:, :, :4] = 1
    said = "1 of 3 chunks are not stored and read as 0"
    assert open_volume(f"zarr3:{tmp_path}/a").doubts == said


@pytest.mark.parametrize("form", CHUNKED)
def test_a_server_that_cannot_list_is_asked_for_some(chunked, form, server):
    spec, folder = chunked(form)
    remote = f"{spec.partition(':')[0]}:{server}/{folder.name}"
    assert open_volume(remote).doubts == ""
    (folder / FIRST[form]).unlink()
    assert open_volume(remote).doubts.startswith("of 12 chunks looked at: 1 of 12")
    for path in chunk_files(folder):
        path.unlink()
    with pytest.raises(InputError, match=f"no chunk of {remote} is there"):
        open_volume(remote)


@pytest.fixture
def server(tmp_path):
    """The address of a server of ``tmp_path`` that hands out no lists."""

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


def test_hdf5_chunks_that_were_never_written(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        half = file.create_dataset("half", SHAPE, "u1", chunks=(2, 2, 2), fillvalue=7)
        half[:2] = 1
        file.create_dataset("chunks", SHAPE, "u1", chunks=(2, 2, 2))
        file.create_dataset("piece", SHAPE, "u1")
        file["whole"] = ones()
    assert open_volume(f"{tmp_path}/a.h5:whole").doubts == ""
    said = "6 of 12 chunks were never written and read as 7"
    for cache_bytes in (0, 10**6):
        assert open_volume(f"{tmp_path}/a.h5:half", cache_bytes).doubts == said
    for name in ("chunks", "piece"):
        with pytest.raises(InputError, match=rf"nothing was ever written to .*a\.h5:{name}"):
            open_labels(f"{tmp_path}/a.h5:{name}")


@pytest.fixture
def virtual(tmp_path) -> Path:
    """A dataset put together from two files, of which the second lacks a section."""
    for name, depth in (("one", 2), ("two", 2)):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["raw"] = np.ones((depth, *SHAPE[1:]), np.uint8)
    layout = h5py.VirtualLayout(SHAPE, "u1")
    layout[:2] = h5py.VirtualSource("one.h5", "raw", (2, *SHAPE[1:]))
    layout[2:3] = h5py.VirtualSource("two.h5", "raw", (2, *SHAPE[1:]))[:1]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_virtual_dataset("raw", layout)
    return tmp_path / "a.h5"


def test_sources_of_virtual_datasets(virtual):
    spec = f"{virtual}:raw"
    assert open_volume(spec).doubts == "24 of 96 voxels have no source and read as 0"
    before = fingerprint(spec)
    with h5py.File(virtual.with_name("two.h5"), "w") as file:
        file["other"] = np.ones((2, *SHAPE[1:]), np.uint16)
    assert fingerprint(spec) != before, "a change of a source is a change of the volume"
    with pytest.raises(InputError, match=r"two\.h5 has no dataset 'raw'"):
        open_volume(spec)
    virtual.with_name("two.h5").unlink()
    with pytest.raises(InputError, match=rf"two\.h5 is missing; put it back into {virtual.parent}"):
        open_volume(spec)


def test_bytes_in_other_files(tmp_path):
    raw = tmp_path / "raw.bin"
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("raw", SHAPE, "u1", external=[(str(raw), 0, 96)])[...] = 1
    spec = f"{tmp_path}/a.h5:raw"
    assert open_volume(spec).doubts == ""
    raw.write_bytes(b"\1" * 95)
    with pytest.raises(InputError, match=r"takes 96 bytes of .*raw\.bin, which has only 95"):
        open_volume(spec)
    raw.unlink()
    with pytest.raises(InputError, match=r"raw\.bin is missing"):
        open_volume(spec)


def test_links_that_lead_nowhere(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["raw"] = h5py.ExternalLink("b.h5", "/raw")
    with pytest.raises(InputError, match=r"a link to b\.h5:/raw, and there is no such file"):
        open_volume(f"{tmp_path}/a.h5:raw")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["other"] = ones()
    with pytest.raises(InputError, match="there is no such dataset in that file"):
        open_volume(f"{tmp_path}/a.h5:raw")
    with h5py.File(tmp_path / "b.h5", "a") as file:
        file["raw"] = ones()
    assert open_volume(f"{tmp_path}/a.h5:raw").shape_zyx == SHAPE


def filtered(path: Path, filter_mask: int, chunk: bytes) -> str:
    """A dataset whose chunks are said to be compressed with Zstandard."""
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_chunk(SHAPE)
    creation.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
    space = h5py.h5s.create_simple(SHAPE)
    with h5py.File(path, "w") as file:
        dataset = h5py.h5d.create(file.id, b"raw", h5py.h5t.NATIVE_UINT8, space, creation)
        dataset.write_direct_chunk((0, 0, 0), chunk, filter_mask=filter_mask)
    return f"{path}:raw"


def test_filters_that_are_not_installed_are_named(tmp_path):
    if h5py.h5z.filter_avail(32015):
        pytest.skip("Zstandard is installed here")
    with pytest.raises(InputError, match=r"filter 32015 \(Zstandard\).*hdf5plugin") as caught:
        open_volume(filtered(tmp_path / "a.h5", 0, bytes(64)), 0)
    assert "damaged" not in str(caught.value)
    # A filter that was missing when it was optional has been left out, and is not needed.
    plain = open_volume(filtered(tmp_path / "b.h5", 1, ones().tobytes()))
    np.testing.assert_array_equal(plain.read((0, 0, 0), SHAPE), ones())


def test_sections_that_a_numbering_leaves_out(tmp_path):
    for z in (0, 10, 20, 50):
        Image.fromarray(ones()[0]).save(tmp_path / f"em.2.{z:03d}.png")
    assert "section 30, 40 is not among the files" in open_volume(f"stack:{tmp_path}").doubts
    (tmp_path / "em.2.050.png").unlink()
    assert open_volume(f"stack:{tmp_path}").doubts == "", "every tenth section was meant"


def test_a_fingerprint_sees_chunks_written_in_place(chunked):
    spec, folder = chunked("Zarr v3")
    before = fingerprint(spec)
    path = folder / "c" / "0" / "0" / "0"
    status = path.parent.stat()
    path.write_bytes(bytes(reversed(path.read_bytes())) + b"1")
    assert path.parent.stat().st_mtime_ns == status.st_mtime_ns
    assert fingerprint(spec) != before
    shutil.rmtree(folder)
    assert fingerprint(spec) == []
