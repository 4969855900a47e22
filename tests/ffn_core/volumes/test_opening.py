import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from ffn_core.errors import InputError
from ffn_core.volumes import absolute_spec, fingerprint, open_mask, open_volume, short_name


@pytest.mark.parametrize(
    ("spec", "absolute"),
    [
        ("em.h5:raw", "{here}/em.h5:raw"),
        ("/data/em.h5:volumes/raw", "/data/em.h5:volumes/raw"),
        ("zarr:em.zarr/0", "zarr:{here}/em.zarr/0"),
        ("precomputed:em#2", "precomputed:{here}/em#2"),
        ("precomputed://gs://bucket/em", "precomputed:gs://bucket/em"),
        ("n5:https://host/em.n5", "n5:https://host/em.n5"),
        ("stack:em/*.png", "stack:{here}/em/*.png"),
    ],
)
def test_names_from_any_directory(spec, absolute, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute_spec(spec) == absolute.format(here=tmp_path)
    assert absolute_spec(absolute_spec(spec)) == absolute_spec(spec)


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("/data/groundtruth.h5:stack", "groundtruth"),
        ("zarr3:https://host/labels.zarr", "labels"),
        ("precomputed:gs://bucket/ffn#1", "ffn"),
        ("stack:/data/em/iso.*.png", "em"),
    ],
)
def test_short_names(spec, name):
    assert short_name(spec) == name


def touch(path: Path) -> None:
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))


def test_fingerprints_change_with_the_data(tmp_path):
    (tmp_path / "a.zarr" / "c").mkdir(parents=True)
    (tmp_path / "stack").mkdir()
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "stack" / "0.png")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["raw"] = np.zeros((2, 2, 2))
    changes = {
        f"{tmp_path}/a.h5:raw": tmp_path / "a.h5",
        f"zarr3:{tmp_path}/a.zarr": tmp_path / "a.zarr" / "c",
        f"stack:{tmp_path}/stack": tmp_path / "stack" / "0.png",
    }
    for spec, changed in changes.items():
        before = fingerprint(spec)
        assert fingerprint(spec) == before != []
        touch(changed)
        assert fingerprint(spec) != before
    assert fingerprint("zarr3:https://host/a.zarr") == []
    assert fingerprint("nowhere.h5:raw") == []


def test_masks_of_hdf5(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["mask"] = np.eye(3, dtype=bool)[None]
        file["image"] = np.zeros((1, 3, 3))
    mask = open_mask(f"{tmp_path}/a.h5:mask")
    np.testing.assert_array_equal(mask.read((0, 0, 0), (1, 3, 3))[0], np.eye(3))
    with pytest.raises(InputError, match="a mask holds booleans"):
        open_mask(f"{tmp_path}/a.h5:image")


def test_a_cache_is_not_negative(tmp_path):
    with pytest.raises(InputError, match="cache of -1 bytes"):
        open_volume(f"{tmp_path}/a.h5:raw", -1)
