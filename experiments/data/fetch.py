"""Download a public data set.

    python -m experiments.data fetch fib25 --out data/fib25
    python -m experiments.data fetch fib25 --source repository

An interrupted download continues where it stopped, and no file that is there is replaced.
"""

import argparse
import contextlib
import gzip
import hashlib
import shutil
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from experiments.data.arguments import AddParser, progress_bar
from experiments.data.cache import write_volumes
from experiments.data.download import OnBytes, download
from ffn_core.errors import InputError, errno_of
from ffn_core.files.output_list import LIST
from ffn_core.files.outputs import work_folder
from ffn_core.volumes import open_volume, whole_file


def add(add_parser: AddParser) -> None:
    """Describe the command line."""
    text = "download a public data set; interrupted downloads continue where they stopped, and no"
    text += " file that is there is replaced"
    parser = add_parser("fetch", help=text, docstring=__doc__)
    parser.add_argument("name", choices=["fib25"], help="data set")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("data/fib25"),
        metavar="FOLDER",
        help="(default: %(default)s)",
    )
    parser.add_argument(
        "--source",
        choices=["bucket", "repository"],
        default="bucket",
        help="bucket: google/ffn's ffn-flyem-fib25, two files of 14 MB (default);"
        " repository: janelia-flyem/neuroproof_examples, 251 files",
    )
    parser.add_argument("--url-base", metavar="URL", help="another address of the source")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> None:
    """Carry the command out."""
    if arguments.source == "bucket":
        folder = _from_bucket(arguments.out, arguments.url_base or BUCKET_URL)
    else:
        with progress_bar("sections") as on_progress:
            folder = fetch_from_repository(
                arguments.out,
                arguments.url_base or REPOSITORY_URL,
                on_progress=on_progress,
            )
    console.print(f"{folder}/grayscale_maps.h5:raw\n{folder}/groundtruth.h5:stack", soft_wrap=True)
    console.print(f"for data=fib25: export FIB25_DIR={folder.absolute()}", soft_wrap=True)


def _from_bucket(out: Path, url_base: str) -> Path:
    stderr = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(
        *columns, console=stderr, transient=True, disable=not stderr.is_terminal
    ) as progress:
        task = progress.add_task("download", total=None)
        return fetch_from_bucket(
            out,
            url_base,
            on_bytes=lambda here, total: progress.update(task, completed=here, total=total),
        )


BUCKET_URL = "https://storage.googleapis.com/ffn-flyem-fib25"
REPOSITORY_URL = "https://raw.githubusercontent.com/janelia-flyem/neuroproof_examples/master"

IMAGE, LABELS = "grayscale_maps.h5", "groundtruth.h5"
_ARRAYS = {IMAGE: ("raw",), LABELS: ("stack", "transforms")}


@dataclass(frozen=True)
class Sample:
    """What is known of a sample beforehand.

    Attributes:
        folder: its folder at both sources.
        files: sha256 of the files in the bucket.
        sections: numbers of the PNG sections in the repository.
        arrays: sha256 of the values of each dataset, as `_digest` takes it.
    """

    folder: str
    files: Mapping[str, str]
    sections: range
    arrays: Mapping[str, str]


TRAINING_SAMPLE2 = Sample(
    folder="training_sample2",
    files={
        IMAGE: "9714fb34688d357ebf1befaf553264fbb56e2a245aefb1e71925a91bbe169850",
        LABELS: "e62db8855ead2e8c247f77c6d4881aa32524d4f74815c6e3f8dc9d1e33ae7564",
    },
    sections=range(2600, 2850),
    arrays={
        "raw": "09f00d3de4eaaefc07bc350e0024d38ad4f2c98407e958c8fb977fc624d26d25",
        "stack": "8060e8850ba1bceb78015a6a8167e75bfd0c1bf8e3bbef4253f847c5fa79d556",
        "transforms": "61dd6a281171130ebb6d4cefe1bad6bbd6f7f6da07ddc937213486d34ebf6484",
    },
)
"""Of FIB-25 (Takemura et al. 2015, 10.1073/pnas.1509820112): 250^3 voxels of the Drosophila medulla
and their ground truth, as google/ffn published them in the bucket ffn-flyem-fib25, and in the
repository janelia-flyem/neuroproof_examples from which those files were made: the image as PNG
sections, the ground truth packed."""


def fetch_from_bucket(
    out: Path,
    url_base: str = BUCKET_URL,
    sample: Sample = TRAINING_SAMPLE2,
    on_bytes: OnBytes | None = None,
) -> Path:
    """Download the sample's two files.

    Returns:
        The folder that holds them, a folder in ``out``.

    Raises:
        InputError: See :func:`experiments.data.download.download`.
    """
    folder = out / sample.folder
    for name, sha256 in sample.files.items():
        download(f"{url_base}/{sample.folder}/{name}", folder / name, sha256, on_bytes)
    return folder


def fetch_from_repository(
    out: Path,
    url_base: str = REPOSITORY_URL,
    sample: Sample = TRAINING_SAMPLE2,
    on_progress: Callable[[float], None] | None = None,
) -> Path:
    """Make the same two files from the repository's.

    Their voxels are checked, not their bytes, which depend on how HDF5 packs them. The downloads
    are kept in the folder ``downloads`` until all is well. A file that is there already is left as
    it is.

    Returns:
        The folder that holds them, a folder in ``out``.

    Raises:
        InputError: See :func:`experiments.data.download.download`; other voxels than in the
            bucket; or a folder ``downloads`` of somebody else.
    """
    folder = out / sample.folder
    kept = {name: _is_there(folder / name, arrays, sample) for name, arrays in _ARRAYS.items()}
    if all(kept.values()):
        return folder
    source, downloads = f"{url_base}/{sample.folder}", work_folder(folder / "downloads")
    sections = []
    for done, number in enumerate(sample.sections):
        name = f"iso.{number}.png"
        sections.append(download(f"{source}/grayscale_maps/{name}", downloads / name))
        if on_progress is not None:
            on_progress(done / len(sample.sections))
    packed = download(f"{source}/{LABELS}.gz", downloads / f"{LABELS}.gz")
    if not kept[IMAGE]:
        _write_image(downloads, folder / IMAGE, sample)
    if not kept[LABELS]:
        _write_labels(packed, folder / LABELS, sample)
    for path in (*sections, packed, downloads / LIST):
        path.unlink()
    with contextlib.suppress(OSError):  # what somebody else put there stays
        downloads.rmdir()
    return folder


def _is_there(path: Path, arrays: Iterable[str], sample: Sample) -> bool:
    """Whether a file holds the sample's arrays already; another one is an error."""
    if not path.is_symlink() and not path.exists():
        return False
    try:
        with h5py.File(path) as file:
            for name in arrays:
                _check(name, file[name][...], sample, path)
    except (OSError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is there, and is no whole file of {sample.folder} ({error}); move it away and"
            " run again"
        ) from error
    return True


def _write_image(downloads: Path, path: Path, sample: Sample) -> None:
    volume = open_volume(f"stack:{downloads}/iso.*.png")
    raw = volume.read((0, 0, 0), volume.shape_zyx)
    _check("raw", raw, sample, downloads)
    write_volumes(path, {"raw": raw})


def _write_labels(packed: Path, path: Path, sample: Sample) -> None:
    with whole_file(path) as partial:
        try:
            with gzip.open(packed) as source, partial.open("wb") as target:
                shutil.copyfileobj(source, target)
            with h5py.File(partial) as file:
                arrays = {name: file[name][...] for name in _ARRAYS[LABELS]}
        except (OSError, EOFError, KeyError, zlib.error) as error:
            if errno_of(error) is not None:
                raise  # of the disk
            raise InputError(f"{packed} is damaged ({error}); delete it and run again") from error
        for name, array in arrays.items():
            _check(name, array, sample, packed)


def _check(name: str, array: np.ndarray, sample: Sample, source: Path) -> None:
    if _digest(array) != sample.arrays[name]:
        raise InputError(
            f"{source}: {name} is not that of {sample.folder}; delete it and run again, or take"
            " another source"
        )


def _digest(array: np.ndarray) -> str:
    """sha256 of the values, whatever integer type they were stored in."""
    digest = hashlib.sha256(str(array.shape).encode())
    digest.update(array.astype("<i8").tobytes())
    return digest.hexdigest()
