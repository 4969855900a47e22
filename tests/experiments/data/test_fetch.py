"""Downloads from a server of this process: whole, interrupted, damaged, and none at all."""

import gzip
import hashlib
import http.server
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from experiments.data import fetch as fetching
from experiments.data.__main__ import main
from experiments.data.download import download
from experiments.data.fetch import Sample, fetch_from_bucket, fetch_from_repository
from ffn_core.errors import InputError


@dataclass
class Server:
    """Serves ``files``; ``requests`` notes the path and Range of each."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    cut_after: int | None = None
    ranges: bool = True


@pytest.fixture
def server():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked = self.headers.get("Range")
            state.requests.append((self.path, asked))
            content = state.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
            if asked and state.ranges and start >= len(content):
                self.send_error(416)
                return
            if not (asked and state.ranges):
                start = 0
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            self.wfile.write(content[start : state.cut_after])

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        state = Server(f"http://127.0.0.1:{listening.server_port}")
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        listening.shutdown()
        thread.join()


CONTENT = np.random.default_rng(0).bytes(1_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def test_a_whole_download(server, tmp_path):
    server.files["/a.bin"] = CONTENT
    seen = []
    path = tmp_path / "new" / "a.bin"
    download(f"{server.url}/a.bin", path, SHA256, lambda here, total: seen.append((here, total)))
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert list(path.parent.iterdir()) == [path]
    download(f"{server.url}/a.bin", path, SHA256)
    assert len(server.requests) == 1, "what is there is not asked for again"


def test_an_interrupted_download_goes_on(server, tmp_path):
    server.files["/a.bin"] = CONTENT
    server.cut_after = 600_000
    path = tmp_path / "a.bin"
    with pytest.raises(InputError, match="closed after 600,000 of 1,000,000 bytes") as caught:
        download(f"{server.url}/a.bin", path, SHA256)
    assert "\n" not in str(caught.value)
    assert not path.exists()
    server.cut_after = None
    first = []
    download(f"{server.url}/a.bin", path, SHA256, lambda here, total: first.append((here, total)))
    assert path.read_bytes() == CONTENT
    assert server.requests[1] == ("/a.bin", "bytes=600000-")
    assert first[0][0] > 600_000
    assert {total for _, total in first} == {1_000_000}


def test_a_server_without_ranges_starts_over(server, tmp_path):
    server.files["/a.bin"] = CONTENT
    server.ranges = False
    (tmp_path / ".a.bin.part").write_bytes(b"wrong beginning")
    assert download(f"{server.url}/a.bin", tmp_path / "a.bin", SHA256).read_bytes() == CONTENT


def test_nothing_is_missing_after_all(server, tmp_path):
    server.files["/a.bin"] = CONTENT
    (tmp_path / ".a.bin.part").write_bytes(CONTENT)
    assert download(f"{server.url}/a.bin", tmp_path / "a.bin", SHA256).read_bytes() == CONTENT


def test_a_damaged_download_is_refused(server, tmp_path):
    server.files["/a.bin"] = CONTENT[:-1] + b"?"
    with pytest.raises(InputError, match=rf"its sha256 is not {SHA256}") as caught:
        download(f"{server.url}/a.bin", tmp_path / "a.bin", SHA256)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    server.files["/a.bin"] = CONTENT
    assert download(f"{server.url}/a.bin", tmp_path / "a.bin", SHA256).read_bytes() == CONTENT


PLANTS = {
    "file": lambda path: path.write_bytes(b"mine, or damaged"),
    "empty": lambda path: path.write_bytes(b""),
    "folder": lambda path: path.mkdir(),
    "link": lambda path: path.symlink_to("mine"),
    "link to nothing": lambda path: path.symlink_to("nothing"),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_another_file_that_is_there_stays(server, tmp_path, everything, plant):
    server.files["/a.bin"] = CONTENT
    (tmp_path / "mine").write_bytes(b"mine")
    PLANTS[plant](tmp_path / "a.bin")
    before = everything(tmp_path)
    with pytest.raises(InputError, match=r"a\.bin is there, and is not http.*move it away"):
        download(f"{server.url}/a.bin", tmp_path / "a.bin", SHA256)
    assert everything(tmp_path) == before
    assert not server.requests


def test_not_there(server, tmp_path):
    with pytest.raises(InputError, match=r"/a\.bin: Not Found"):
        download(f"{server.url}/a.bin", tmp_path / "a.bin", SHA256)


def closed_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def test_no_network_is_one_line(tmp_path, capsys):
    url = f"http://127.0.0.1:{closed_port()}"
    assert main(["fetch", "fib25", "--out", str(tmp_path), "--url-base", url]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith(f"error: cannot download {url}/training_sample2/grayscale_maps.h5: ")
    assert "is there a network?" in error


@pytest.fixture
def sample(tmp_path, server) -> Sample:
    """A sample of 3 sections at both sources."""
    rng = np.random.default_rng(1)
    raw = rng.integers(0, 256, (3, 4, 5), np.uint8)
    stack = rng.integers(0, 9, (3, 4, 5), np.int32)
    transforms = np.stack([np.arange(9), np.arange(9) // 2], axis=1)
    files = {}
    for name, arrays in {
        "grayscale_maps.h5": {"raw": raw},
        "groundtruth.h5": {"stack": stack, "transforms": transforms},
    }.items():
        with h5py.File(tmp_path / name, "w") as file:
            for key, array in arrays.items():
                file[key] = array
        content = (tmp_path / name).read_bytes()
        files[name] = hashlib.sha256(content).hexdigest()
        server.files[f"/bucket/s/{name}"] = content
    server.files["/git/s/groundtruth.h5.gz"] = gzip.compress(
        (tmp_path / "groundtruth.h5").read_bytes()
    )
    for number, section in zip((9, 10, 11), raw, strict=True):
        Image.fromarray(section).save(tmp_path / "section.png")
        content = (tmp_path / "section.png").read_bytes()
        server.files[f"/git/s/grayscale_maps/iso.{number}.png"] = content
    arrays = {"raw": raw, "stack": stack, "transforms": transforms}
    return Sample("s", files, range(9, 12), {k: fetching._digest(a) for k, a in arrays.items()})


def contents(folder: Path) -> dict[str, np.ndarray]:
    found = {}
    for path in sorted(folder.iterdir()):
        with h5py.File(path) as file:
            found |= {name: dataset[...] for name, dataset in file.items()}
    return found


def test_both_sources_give_the_same(server, sample, tmp_path):
    first = fetch_from_bucket(tmp_path / "a", f"{server.url}/bucket", sample)
    fractions: list[float] = []
    second = fetch_from_repository(
        tmp_path / "b", f"{server.url}/git", sample, on_progress=fractions.append
    )
    assert first == tmp_path / "a" / "s"
    assert fractions == [0, 1 / 3, 2 / 3]
    ours, theirs = contents(first), contents(second)
    assert sorted(ours) == sorted(theirs) == ["raw", "stack", "transforms"]
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name])
    asked = len(server.requests)
    fetch_from_repository(tmp_path / "b", f"{server.url}/git", sample)
    assert len(server.requests) == asked


@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize("name", ["grayscale_maps.h5", "groundtruth.h5"])
def test_files_in_the_place_of_the_sample_stay(server, sample, tmp_path, everything, name, plant):
    folder = tmp_path / "b" / "s"
    folder.mkdir(parents=True)
    (folder / "mine").write_bytes(b"mine")
    PLANTS[plant](folder / name)
    before = everything(tmp_path)
    for fetch, source in ((fetch_from_bucket, "bucket"), (fetch_from_repository, "git")):
        server.files[f"/{source}/s/{name}"] = b""
        with pytest.raises(InputError, match=rf"{name} is there, and is no"):
            fetch(tmp_path / "b", f"{server.url}/{source}", sample)
        found = everything(tmp_path)
        assert {path: found[path] for path in before} == before


def test_a_half_of_the_sample_is_completed(server, sample, tmp_path):
    whole = fetch_from_bucket(tmp_path / "a", f"{server.url}/bucket", sample)
    (whole / "groundtruth.h5").unlink()
    written = (whole / "grayscale_maps.h5").stat().st_mtime_ns
    fetch_from_repository(tmp_path / "a", f"{server.url}/git", sample)
    assert sorted(contents(whole)) == ["raw", "stack", "transforms"]
    assert (whole / "grayscale_maps.h5").stat().st_mtime_ns == written


def test_a_folder_of_downloads_that_is_not_ours_stays(server, sample, tmp_path, everything):
    downloads = tmp_path / "b" / "s" / "downloads"
    downloads.mkdir(parents=True)
    (downloads / "iso.9.png").write_bytes(b"mine")
    before = everything(tmp_path)
    with pytest.raises(InputError, match="downloads is there already"):
        fetch_from_repository(tmp_path / "b", f"{server.url}/git", sample)
    assert everything(tmp_path) == before


def test_files_among_the_downloads_stay(server, sample, tmp_path):
    section = server.files.pop("/git/s/grayscale_maps/iso.11.png")
    with pytest.raises(InputError, match="Not Found"):
        fetch_from_repository(tmp_path / "b", f"{server.url}/git", sample)
    downloads = tmp_path / "b" / "s" / "downloads"
    (downloads / "notes").write_bytes(b"mine")
    server.files["/git/s/grayscale_maps/iso.11.png"] = section
    fetch_from_repository(tmp_path / "b", f"{server.url}/git", sample)
    assert [path.name for path in downloads.iterdir()] == ["notes"]


def test_another_section_in_the_repository(server, sample, tmp_path):
    sections = "/git/s/grayscale_maps/iso"
    server.files[f"{sections}.10.png"] = server.files[f"{sections}.9.png"]
    with pytest.raises(InputError, match="raw is not that of s; delete it and run again"):
        fetch_from_repository(tmp_path / "b", f"{server.url}/git", sample)
    assert not (tmp_path / "b" / "s" / "grayscale_maps.h5").exists()


def test_damaged_ground_truth_in_the_repository(server, sample, tmp_path):
    server.files["/git/s/groundtruth.h5.gz"] = server.files["/git/s/groundtruth.h5.gz"][:-40]
    with pytest.raises(InputError, match=r"groundtruth\.h5\.gz is damaged"):
        fetch_from_repository(tmp_path / "b", f"{server.url}/git", sample)
    assert not (tmp_path / "b" / "s" / "groundtruth.h5").exists()


def test_the_real_sample(server, tmp_path, shared_dir, capsys):
    folder = shared_dir / "data" / "fib25" / "training_sample2"
    if not folder.is_dir():
        pytest.skip(f"no FIB-25 sample in {folder}")
    for path in folder.glob("*.h5"):
        server.files[f"/training_sample2/{path.name}"] = path.read_bytes()
    assert main(["fetch", "fib25", "--out", str(tmp_path), "--url-base", server.url]) == 0
    assert f"{tmp_path}/training_sample2/grayscale_maps.h5:raw" in capsys.readouterr().out
    with h5py.File(tmp_path / "training_sample2" / "grayscale_maps.h5") as file:
        assert fetching._digest(file["raw"][...]) == fetching.TRAINING_SAMPLE2.arrays["raw"]
