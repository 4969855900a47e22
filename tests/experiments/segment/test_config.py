from dataclasses import replace

import pytest

from experiments.config.cluster import LauncherConfig
from experiments.config.parsing import from_dict
from experiments.segment.config import SegmentConfig
from ffn_core.errors import InputError

MINIMAL = SegmentConfig(checkpoint="c", image="em.h5:raw")


def test_identity_follows_the_result_and_not_the_speed():
    faster = replace(MINIMAL, batch_size=8, processes=4, save_every_s=1.0, labels="l.h5:x")
    faster = replace(faster, launcher=LauncherConfig("mpi"), cache_bytes=0)
    assert faster.identity == MINIMAL.identity
    assert faster.directory == MINIMAL.directory
    other = from_dict(
        SegmentConfig, {"checkpoint": "c", "image": "em.h5:raw", "flood": {"segment": 0.5}}
    )
    assert other.identity != MINIMAL.identity
    assert MINIMAL.directory.name == f"em-c-{MINIMAL.identity}"


def test_identity_tells_raw_weights_from_averaged_and_keeps_that_of_older_segmentations():
    raw = replace(MINIMAL, weights="raw")
    assert raw.identity != MINIMAL.identity
    assert MINIMAL.identity == "6a9d5295"


def test_a_segmentation_in_float32_is_that_from_before_there_was_a_choice():
    assert replace(MINIMAL, precision="float32").identity == MINIMAL.identity
    assert replace(MINIMAL, precision="bfloat16").identity != MINIMAL.identity


def test_flood_defaults_are_those_of_the_library():
    from ffn_core.inference.settings import FloodSettings

    assert MINIMAL.flood.settings == FloodSettings()


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
