from dataclasses import replace

import pytest

from experiments.segment_schema import SegmentConfig
from experiments.segment_worker import task_of
from experiments.typed import from_dict
from ffn_core.errors import InputError

MINIMAL = SegmentConfig(checkpoint="c", image="em.h5:raw")


def test_identity_follows_the_result_and_not_the_speed():
    faster = replace(MINIMAL, batch_size=8, processes=4, save_every_s=1.0, labels="l.h5:x")
    assert faster.identity == MINIMAL.identity
    assert faster.directory == MINIMAL.directory
    other = from_dict(
        SegmentConfig, {"checkpoint": "c", "image": "em.h5:raw", "flood": {"segment": 0.5}}
    )
    assert other.identity != MINIMAL.identity
    assert MINIMAL.directory.name == f"em-c-{MINIMAL.identity}"


def test_flood_defaults_are_those_of_the_library():
    from ffn_core.inference.settings import FloodSettings

    assert MINIMAL.flood.settings == FloodSettings()


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"batch_size": 0}, "batch_size=0"),
        ({"processes": 0}, "processes=0"),
        ({"stddev": 0.0}, "stddev=0.0"),
        ({"save_every_s": -1}, "save_every_s"),
        ({"subvolume": {"min_iou": 0.0}}, "min_iou"),
        ({"seeds": {"points": [[1.5, 2, 3]]}}, "seeds.points"),
    ],
)
def test_values_that_cannot_work(values, match):
    with pytest.raises(InputError, match=match):
        from_dict(SegmentConfig, {"checkpoint": "c", "image": "em.h5:raw"} | values)


def test_the_launcher_numbers_the_tasks():
    assert task_of({}) == (0, 1)
    assert task_of({"SLURM_PROCID": "3", "SLURM_NTASKS": "4"}) == (3, 4)
    assert task_of({"HOROVOD_RANK": "1", "HOROVOD_SIZE": "2", "SLURM_PROCID": "0"}) == (1, 2)
    assert task_of({"SLURM_PROCID": "0"}) == (0, 1)
