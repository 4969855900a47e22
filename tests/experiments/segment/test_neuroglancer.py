import sys

import numpy as np
import pytest

from experiments.segment.neuroglancer import intensity_range, largest_segments, start_viewer
from experiments.segment.precomputed import IMAGE, SEGMENTATION, write_precomputed
from ffn_core.errors import InputError
from ffn_core.geometry import Box
from ffn_core.volumes import ArrayVolume


@pytest.fixture
def volumes(tmp_path):
    """An image that is brighter from section to section, and ids of 1, 2 and 3 sections."""
    image = np.broadcast_to(np.arange(6, dtype=np.uint8)[:, None, None], (6, 8, 9))
    ids = np.repeat([4, 9, 9, 2, 2, 2], 72).reshape(6, 8, 9).astype(np.uint32)
    for name, array, kind in (("image", image, IMAGE), ("ids", ids, SEGMENTATION)):
        box = Box((0, 0, 0), (6, 8, 9))
        write_precomputed(tmp_path / name, ArrayVolume(array), box, kind, (8, 8, 8), (5, 0, 0))
    return tmp_path / "image", tmp_path / "ids"


def test_the_largest_segments_are_shown(volumes):
    _, ids = volumes
    assert largest_segments(ids, 2) == [2, 9]
    assert largest_segments(ids, 9) == [2, 9, 4]


def test_intensities_are_stretched(volumes):
    assert intensity_range(volumes[0]) == [0.0, 5.0]


def test_the_viewer_shows_what_was_exported(volumes):
    pytest.importorskip("neuroglancer", reason="optional group viewer")
    image, ids = volumes
    viewer = start_viewer(image, [ids])
    state = viewer.state
    assert [layer.name for layer in state.layers] == ["image", "ids"]
    assert list(state.layers["ids"].layer.segments) == [2, 9, 4]
    assert list(state.position) == [4.5, 4.0, 8.0]
    assert str(viewer).startswith("http://127.0.0.1:")


def test_without_the_viewer_the_command_is_named(volumes, monkeypatch):
    monkeypatch.setitem(sys.modules, "neuroglancer", None)
    with pytest.raises(InputError, match="uv sync --group viewer"):
        start_viewer(volumes[0], [])
