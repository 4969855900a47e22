"""The rules from what a volume is like to the options of a first run."""

import numpy as np
import pytest
import yaml

from ffn_core.errors import InputError
from ffn_core.files import REPOSITORY
from ffn_core.geometry import Box
from ffn_core.planning.fingerprint import Fingerprint, relative_edges
from ffn_core.planning.proposal import (
    LARGE,
    NETWORKS,
    geometry_of,
    held_out_fraction,
    least_object_size,
    propose,
)

TINY, SMALL = NETWORKS
THICK = (30.0, 8.0, 8.0)


def found(shape=(200, 200, 200), voxel_nm=(8.0, 8.0, 8.0), **values) -> Fingerprint:
    shared = {
        "labeled": Box((0, 0, 0), shape),
        "given": False,
        "labeled_voxels": int(np.prod(shape)),
        "sizes": np.array([40] * 10 + [30_000] * 20),
        "thickness": 16.0,
        "mean": 128.0,
        "stddev": 33.0,
    }
    return Fingerprint(shape_zyx=shape, voxel_nm=voxel_nm, **shared | values)


def options(fingerprint: Fingerprint) -> list[str]:
    return [option for choice in propose(fingerprint).choices for option in choice.options]


def reasons(fingerprint: Fingerprint) -> str:
    return " ".join(choice.reason for choice in propose(fingerprint).choices)


@pytest.mark.parametrize("network", [*NETWORKS, LARGE])
def test_networks_are_those_of_conf(network):
    said = yaml.safe_load((REPOSITORY / "conf" / "model" / f"{network.name}.yaml").read_text())
    assert said == {
        "name": network.name,
        "fov_zyx": [network.edge] * 3,
        "deltas_zyx": [network.delta] * 3,
        "depth": network.size.depth,
        "features": network.size.features,
        "micro_batch_size": network.micro_batch_size,
    }


def test_cubes_take_the_network_as_it_is():
    assert options(found()) == [
        "model=small",
        "data.min_object_voxels=10000",
        "validation.fraction=0.25",
        "cluster.nodes=8",
        "learning_rate.base=0.00035",
        "budget.fovs=100000",
        "validation.every_fovs=5000",
    ]


def test_thick_sections_take_a_flat_fov_of_the_same_length():
    chosen = options(found(shape=(40, 160, 160), voxel_nm=THICK))
    assert chosen[:4] == [
        "model=small",
        "model.fov_zyx=[5,17,17]",
        "model.deltas_zyx=[1,4,4]",
        "data.permute_axes=[1,2]",
    ]


@pytest.mark.parametrize(
    ("network", "voxel_nm", "fov", "deltas"),
    [
        (LARGE, THICK, (9, 33, 33), (2, 8, 8)),
        (SMALL, THICK, (5, 17, 17), (1, 4, 4)),
        (TINY, (40.0, 4.0, 4.0), (3, 13, 13), (1, 3, 3)),
        (SMALL, (9.0, 8.0, 8.0), (17, 17, 17), (4, 4, 4)),  # nearly cubes
        (SMALL, (16.0, 8.0, 4.0), (5, 9, 17), (1, 2, 4)),
        (SMALL, None, (17, 17, 17), (4, 4, 4)),
    ],
)
def test_fovs_and_moves_by_hand(network, voxel_nm, fov, deltas):
    geometry = geometry_of(network, relative_edges(voxel_nm), 20.0)
    assert (geometry.fov_zyx, geometry.deltas_zyx) == (fov, deltas)


def test_moves_are_no_longer_than_objects_are_thick():
    assert geometry_of(SMALL, (1.0, 1.0, 1.0), 2.9).deltas_zyx == (2, 2, 2)
    assert geometry_of(SMALL, (3.75, 1.0, 1.0), 1.5).deltas_zyx == (1, 1, 1)


def test_thin_objects_take_the_smaller_network():
    assert options(found(thickness=6.0))[:1] == ["model=tiny"]
    assert options(found(thickness=2.0))[:2] == ["model=tiny", "model.deltas_zyx=[2,2,2]"]
    assert "model=paper sees 33" in reasons(found(thickness=40.0))
    assert "model=paper" not in reasons(found())


def test_axes_change_places_where_voxels_are_alike():
    assert "data.permute_axes=[]" in options(found(voxel_nm=(16.0, 8.0, 4.0)))
    assert "data.permute_axes=[0,1]" in options(found(voxel_nm=(8.0, 8.0, 30.0)))
    assert "nothing says how large voxels are" in reasons(found(voxel_nm=None))


def test_the_least_size_keeps_nine_tenths_of_all_object_voxels():
    assert least_object_size(np.array([900, 9_100])) == 5000
    assert least_object_size(np.array([1_100, 8_900])) == 1000
    assert least_object_size(np.array([7, 8, 9])) == 1
    assert "keeps 20 of 30 objects with 100% of their voxels" in reasons(found())


def test_sparse_labels_are_named_as_a_box():
    box = Box((4, 20, 20), (32, 120, 120))
    sparse = found((40, 160, 160), THICK, labeled=box, labeled_voxels=32 * 120 * 120)
    assert options(sparse)[0] == "data.labels_box=[[4,20,20],[36,140,140]]"
    assert "45% of the volume" in reasons(sparse)
    assert "the last 30 of 120 labeled voxels along y" in reasons(sparse)
    given = found((40, 160, 160), THICK, labeled=box, given=True, labeled_voxels=32 * 120 * 120)
    assert not any(option.startswith("data.labels_box") for option in options(given))


@pytest.mark.parametrize(
    ("shape", "fraction"),
    [
        ((100, 40, 40), 0.3),  # canvases of 25; a quarter held out has a single place
        ((112, 40, 40), 0.25),  # 28 held out: places 96 to 99
        ((80, 40, 40), 0.35),  # 28 held out
        ((56, 40, 40), 0.5),
        ((55, 40, 40), None),  # 27 and 28
        ((200, 24, 40), None),  # no canvas fits
    ],
)
def test_the_share_held_out_leaves_places_on_both_sides(shape, fraction):
    geometry = geometry_of(SMALL, (1.0, 1.0, 1.0), 20.0)
    assert held_out_fraction(found(shape), geometry) == fraction


def test_a_smaller_network_where_the_larger_does_not_fit():
    assert options(found((45, 40, 40)))[:1] == ["model=tiny"]  # canvases of 19
    with pytest.raises(
        InputError, match=r"no canvases of \(19, 19, 19\) to train on .* label more"
    ):
        propose(found((30, 40, 40)))
