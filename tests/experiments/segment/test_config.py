from dataclasses import replace

import pytest

from experiments.config.cluster import LauncherConfig
from experiments.config.parsing import from_dict
from experiments.segment.config import ResolvedSegment, SegmentConfig, SubvolumeConfig
from ffn_core.errors import InputError
from ffn_core.geometry import Box

VALUES = {
    "checkpoint": "/r/c",
    "image": "/d/em.h5:raw",
    "mean": 128.0,
    "stddev": 33.0,
    "fov_zyx": [7, 7, 7],
    "deltas_zyx": [2, 2, 2],
    "region": {"start_zyx": [0, 0, 0], "size_zyx": [32, 32, 32]},
}
RESOLVED = from_dict(ResolvedSegment, VALUES)


def test_identity_follows_the_result_and_not_the_speed():
    faster = replace(RESOLVED, batch_size=8, processes=4, save_every_s=1.0, labels="l.h5:x")
    faster = replace(faster, launcher=LauncherConfig("mpi"), cache_bytes=0)
    assert faster.identity == RESOLVED.identity
    assert faster.directory == RESOLVED.directory
    other = from_dict(ResolvedSegment, VALUES | {"flood": {"segment": 0.5}})
    assert other.identity != RESOLVED.identity


def test_the_name_is_that_of_before_there_were_two_types():
    assert RESOLVED.directory.name == "em-c-6c8922a2"


@pytest.mark.parametrize(
    ("checkpoint", "name"),
    [
        ("/runs/demo/n8_sqrt_s1-0a1b2c3d/best/step-00001200", "n8_sqrt_s1-step1200"),
        ("/runs/mine/checkpoints/step-00000007", "mine-step7"),
        ("/models/model.ckpt-27465036", "model.ckpt-27465036"),
    ],
)
def test_a_folder_names_run_and_step(tmp_path, checkpoint, name):
    config = replace(RESOLVED, checkpoint=checkpoint, out_root=str(tmp_path))
    assert config.directory.name == f"em-{name}-{config.identity}"


def test_a_folder_of_an_earlier_version_is_found_again(tmp_path):
    checkpoint = "/runs/demo/n8_sqrt_s1-0a1b2c3d/best/step-00001200"
    config = replace(RESOLVED, checkpoint=checkpoint, out_root=str(tmp_path))
    older = tmp_path / f"em-step-00001200-{config.identity}"
    older.mkdir()
    assert config.directory == older


@pytest.mark.parametrize("name", VALUES)
def test_a_resolved_segmentation_leaves_nothing_open(name):
    with pytest.raises(InputError, match=f"option {name} is missing"):
        from_dict(ResolvedSegment, {k: v for k, v in VALUES.items() if k != name})
    with pytest.raises(InputError, match=r"option region\.size_zyx is missing"):
        from_dict(ResolvedSegment, VALUES | {"region": {}})


def test_the_grid_of_an_uncut_region_is_one_subvolume_and_of_a_cut_one_overlaps_by_two_fovs():
    assert [s.box for s in RESOLVED.grid.subvolumes] == [Box((0, 0, 0), (32, 32, 32))]
    cut = replace(RESOLVED, subvolume=SubvolumeConfig(size_zyx=[32, 32, 23]))
    assert [s.box.start_zyx[2] for s in cut.grid.subvolumes] == [0, 9]


def test_identity_tells_raw_weights_from_averaged_and_keeps_that_of_older_segmentations():
    raw = replace(RESOLVED, weights="raw")
    assert raw.identity != RESOLVED.identity


def test_a_segmentation_in_float32_is_that_from_before_there_was_a_choice():
    assert replace(RESOLVED, precision="float32").identity == RESOLVED.identity
    assert replace(RESOLVED, precision="bfloat16").identity != RESOLVED.identity


def test_flood_defaults_are_those_of_the_library():
    from ffn_core.inference.settings import FloodSettings

    assert RESOLVED.flood.settings == FloodSettings()


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"batch_size": 0}, "batch_size=0"),
        ({"weights": "best"}, "weights='best' is unknown"),
        ({"processes": -1}, "processes=-1"),
        ({"cache_bytes": -1}, "cache_bytes=-1"),
        ({"stddev": 0.0}, "stddev=0.0"),
        ({"precision": "float16"}, "precision='float16' is unknown; choose from float32, bf"),
        ({"save_every_s": -1}, "save_every_s"),
        ({"subvolume": {"min_iou": 0.0}}, "min_iou"),
        ({"seeds": {"points": [[1.5, 2, 3]]}}, "seeds.points"),
    ],
)
def test_values_that_cannot_work(values, match):
    with pytest.raises(InputError, match=match):
        from_dict(SegmentConfig, {"checkpoint": "c", "image": "em.h5:raw"} | values)
