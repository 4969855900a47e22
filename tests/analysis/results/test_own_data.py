"""The tutorial notebook: own data, from a volume to a segmentation, by the real commands."""

import tempfile
from pathlib import Path

import pytest

from analysis.results.notebooks import NOTEBOOKS, execute, kernel


@pytest.mark.ranks
def test_the_tutorial_runs_from_a_volume_to_a_segmentation(tmp_path, monkeypatch):
    monkeypatch.setenv("FFN_SCALING_QUICK", "1")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with kernel() as own:
        notebook = execute(NOTEBOOKS / "own_data.py", own)
    found = [one for cell in notebook.cells for one in cell.get("outputs", [])]
    text = "".join(one.get("text", "") for one in found)
    assert "│ voxel size zyx   │ 30 x 8 x 8 nm │" in text
    assert "'data.labels_box=[[1,4,4],[19,60,60]]' model=small 'model.fov_zyx=[5,17,17]'" in text
    assert "1 point: 1 finished" in text
    assert "segments against" in text
    assert "read back, its logits differ by" in text
    assert "ground_truth: FOLDER/segmentations/" in text
    pictures = [one for one in found if "image/png" in one.get("data", {})]
    assert len(pictures) >= 4  # the volume, canvases before and after, a section
    assert "\x1b" not in text
    assert not list(Path(tmp_path).glob("own-data-*"))
