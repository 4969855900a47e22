"""From the data section of a config to canvases: several volumes, masks, caches, formats."""

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorstore as ts

from experiments.config.config_file import write_config
from experiments.config.naming import identity
from experiments.config.parsing import from_dict
from experiments.config.schema import Config, DataConfig, ValidationConfig
from experiments.data.cache import write_volumes
from experiments.data.dataset import canvas_sources, held_out_boundary, open_dataset
from experiments.launch.prepare import prepare
from experiments.reporting.run_files import CHECKPOINTS
from experiments.segment.config import ResolvedRegion, SegmentConfig
from experiments.segment.resolve import held_out_region, resolve
from ffn_core.errors import InputError
from ffn_core.geometry import Box
from ffn_core.metric_names import LATER, RUN_LOCAL
from ffn_core.synthetic.neurites import synthesize
from ffn_core.training.checkpoint import MANIFEST
from ffn_core.training.examples import CanvasSource, LabeledVolume
from ffn_core.volumes import ArrayVolume, Hdf5Volume, Placement, StoreVolume

SHAPE = (48, 32, 32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Two volumes: em-0.h5, and em-1 as Zarr v3 with twice the contrast as uint16."""
    folder = tmp_path_factory.mktemp("volumes")
    for seed in (0, 1):
        image, labels = synthesize(SHAPE, seed, object_radius_vx=6)
        write_volumes(folder / f"em-{seed}.h5", {"image": image, "labels": labels})
    write_zarr3(folder / "em-1-image", 2 * image.astype(np.uint16))
    write_zarr3(folder / "em-1-labels", labels)
    mask = np.zeros(SHAPE, bool)
    mask[:, :16] = True
    write_zarr3(folder / "mask", mask)
    return folder


def write_zarr3(path: Path, array: np.ndarray) -> None:
    metadata = {"shape": array.shape, "data_type": array.dtype.name}
    metadata["chunk_grid"] = {"name": "regular", "configuration": {"chunk_shape": [16, 16, 16]}}
    spec = {"driver": "zarr3", "kvstore": f"file://{path}/", "metadata": metadata}
    ts.open(spec, create=True).result()[...] = array


@pytest.fixture
def make(folder) -> Callable[..., Config]:
    def build(
        model: dict[str, Any] | None = None,
        validation: dict[str, Any] | None = None,
        **data: Any,
    ) -> Config:
        shared = {"name": "test", "kind": "files", "min_object_voxels": 50}
        network = {"name": "m", "fov_zyx": [5, 5, 5], "deltas_zyx": [1, 1, 1]}
        network |= {"depth": 2, "features": 2} | (model or {})
        values = {
            "data": shared | {"cache_dir": str(folder / "cache")} | data,
            "model": network,
            "budget": {"steps": 1},
            "cluster": {"ranks": 1},
            "validation": validation or {},
        }
        return from_dict(Config, values)

    return build


def first(folder: Path, **options: Any) -> dict[str, Any]:
    spec = f"{folder}/em-0.h5"
    return {"image": f"{spec}:image", "labels": f"{spec}:labels"} | options


def second(folder: Path, **options: Any) -> dict[str, Any]:
    specs = {"image": f"zarr3:{folder}/em-1-image", "labels": f"zarr3:{folder}/em-1-labels"}
    return specs | options


def test_a_volume_alone_or_in_a_list_is_the_same(make, folder):
    alone = prepare(make(**first(folder)))
    listed = prepare(make(volumes=[first(folder)]))
    (one,), (other,) = alone.data.sources, listed.data.sources
    assert one == other
    assert one.coordinates
    canvases = [
        canvas_sources(config)[0].draw(np.random.default_rng(3)) for config in (alone, listed)
    ]
    np.testing.assert_array_equal(canvases[0].image, canvases[1].image)


def test_each_volume_has_its_own_statistics(make, folder):
    config = prepare(make(volumes=[first(folder, mean=100, stddev=50.0), second(folder)]))
    one, other = config.data.volumes
    assert (one.mean, one.stddev) == (100, 50)
    image = synthesize(SHAPE, 1, object_radius_vx=6)[0]
    assert other.mean == pytest.approx(2 * image.mean())
    assert other.stddev == pytest.approx(2 * image.std())
    source, _ = canvas_sources(config)
    for volume in source.volumes:
        stored = volume.image.read((0, 0, 0), SHAPE).astype(np.float32)
        assert (volume.mean, volume.stddev) == pytest.approx(
            (100, 50) if volume is source.volumes[0] else (stored.mean(), stored.std())
        )


def constant(volume: LabeledVolume) -> LabeledVolume:
    """The volume with an image of nothing but its weight."""
    image = ArrayVolume(np.full(SHAPE, volume.weight, np.float32))
    return replace(volume, image=image, mean=0.0, stddev=1.0)


def test_volumes_are_drawn_from_by_weight(make, folder):
    config = prepare(make(volumes=[first(folder, weight=3), second(folder)]))
    training, (held_out,) = canvas_sources(config)
    for source in (training, held_out):
        assert [v.weight for v in source.volumes] == [3, 1]
        flat = replace(source, volumes=[constant(volume) for volume in source.volumes])
        rng = np.random.default_rng(0)
        drawn = Counter(float(flat.draw(rng).image[0, 0, 0]) for _ in range(400))
        assert abs(drawn[3.0] - 300) < 35, "4 binomial standard deviations"


def test_each_volume_is_split_by_itself(make, folder):
    source, (held_out,) = canvas_sources(prepare(make(volumes=[first(folder), second(folder)])))
    for volume, other in zip(source.volumes, held_out.volumes, strict=True):
        assert volume.labels.source == other.labels.source
        z = np.unravel_index(np.concatenate(volume.coordinates.indices), SHAPE)[0]
        held_z = np.unravel_index(np.concatenate(other.coordinates.indices), SHAPE)[0]
        # The last quarter of 48 sections is held out; canvases reach 3 voxels.
        assert z.max() == 36 - 3 - 1
        assert held_z.min() == 36 + 3


def test_a_volume_held_out_as_a_whole_is_a_source_of_its_own(make, folder):
    config = prepare(make(validation={"volumes": [second(folder)]}, **first(folder)))
    source, (slab, other) = canvas_sources(config)
    assert [v.image.source for v in source.volumes] == [v.image.source for v in slab.volumes]
    (volume,) = other.volumes
    assert volume.labels.source == f"zarr3:{folder}/em-1-labels"
    assert volume.mean == pytest.approx(2 * source.volumes[0].mean, rel=0.2)  # its own
    z = np.unravel_index(np.concatenate(volume.coordinates.indices), SHAPE)[0]
    assert (z.min(), z.max()) == (3, SHAPE[0] - 3 - 1)
    assert not other.shuffle
    assert (other.reflect_axes, other.permute_axes) == ((), ())
    assert prepare(config) == config


def test_with_volumes_of_their_own_nothing_else_need_be_held_out(make, folder):
    alone = {"fraction": 0.0, "volumes": [second(folder)]}
    source, (other,) = canvas_sources(prepare(make(validation=alone, **first(folder))))
    z = np.unravel_index(np.concatenate(source.volumes[0].coordinates.indices), SHAPE)[0]
    assert z.max() == SHAPE[0] - 3 - 1
    assert other.volumes[0].labels.source == f"zarr3:{folder}/em-1-labels"


def test_what_such_a_run_held_out_is_segmented(make, folder, tmp_path):
    alone = {"fraction": 0.0, "volumes": [second(folder)]}
    write_config(tmp_path, prepare(make(validation=alone, **first(folder))))
    checkpoint = tmp_path / CHECKPOINTS / "step-00000001"
    checkpoint.mkdir(parents=True)
    (checkpoint / MANIFEST).touch()
    config = resolve(SegmentConfig(checkpoint=str(tmp_path)))
    assert (config.image, config.labels) == tuple(second(folder).values())
    assert config.region == ResolvedRegion(start_zyx=[0, 0, 0], size_zyx=list(SHAPE))


def test_synthetic_volumes_are_held_out_by_their_seeds(make, folder):
    data = {"kind": "synthetic", "size_zyx": list(SHAPE), "synthetic_seed": 1}
    config = prepare(make(validation={"synthetic_seeds": [2, 3]}, **data))
    source, held_out = canvas_sources(config)
    images = [s.volumes[0].image.read((0, 0, 0), SHAPE) for s in [source, *held_out]]
    for seed, image in zip((1, 1, 2, 3), images, strict=True):
        np.testing.assert_array_equal(image, synthesize(SHAPE, seed)[0])
    assert prepare(config) == config
    for validation, problem in (
        ({"synthetic_seeds": [2, 1]}, "that is trained on"),
        ({"fraction": 0.0}, "holds nothing out"),
        ({"subset": 1.5}, "validation.subset=1.5"),
        ({"volumes": [second(folder, weight=2.0)]}, "weight=2.0"),
    ):
        with pytest.raises(InputError, match=problem):
            prepare(make(validation=validation, **data))
    with pytest.raises(InputError, match=r"needs data\.kind=synthetic, not files"):
        prepare(make(validation={"synthetic_seeds": [2]}, **first(folder)))


def test_a_mask_is_prepared_into_the_coordinates(make, folder):
    mask = {"mask": f"zarr3:{folder}/mask"}
    masked = prepare(make(**first(folder, **mask)))
    assert masked.data.coordinates != prepare(make(**first(folder))).data.coordinates
    for config in (masked, prepare(make(volumes=[first(folder, **mask)]))):
        (volume,) = open_dataset(config.data, config.model.geometry)
        y = np.unravel_index(np.concatenate(volume.coordinates.indices), SHAPE)[1]
        assert y.max() == 15


def test_a_cache_smaller_than_the_volume_draws_the_same_canvases(make, folder):
    """16^3 chunks of a 48 x 32 x 32 volume; the cache holds two of them, or the volume."""
    configs = [
        prepare(make(volumes=[first(folder), second(folder)], cache_bytes=size))
        for size in (2 * 16**3, 10**9)
    ]
    sources = [canvas_sources(config)[0] for config in configs]
    small, large = (source.volumes for source in sources)
    assert [type(v.image) for v in small] == [Hdf5Volume, StoreVolume]
    assert [type(v.image) for v in large] == [ArrayVolume, ArrayVolume]
    assert configs[0].data.volumes == configs[1].data.volumes
    assert identity(configs[0]) == identity(configs[1])
    rngs = [np.random.default_rng(5), np.random.default_rng(5)]
    for _ in range(50):
        ours, theirs = (s.draw(rng) for s, rng in zip(sources, rngs, strict=True))
        np.testing.assert_array_equal(ours.image, theirs.image)
        np.testing.assert_array_equal(ours.is_object, theirs.is_object)


@pytest.mark.parametrize("deltas", [[0, 2, 2], [1, 3, 3]])
def test_anisotropic_canvases(make, folder, deltas):
    model = {"fov_zyx": [3, 9, 9], "deltas_zyx": deltas}
    config = prepare(make(model, **first(folder), permute_axes=[1, 2]))
    source, (held_out,) = canvas_sources(config)
    rng = np.random.default_rng(0)
    shape = tuple(f + 2 * d for f, d in zip([3, 9, 9], deltas, strict=True))
    for _ in range(20):
        assert source.draw(rng).image.shape == shape
        assert held_out.draw(rng).image.shape == shape


def test_anisotropic_canvases_are_not_turned_on_their_side(make, folder):
    model = {"fov_zyx": [3, 9, 9], "deltas_zyx": [1, 3, 3]}
    with pytest.raises(InputError, match="permute_axes"):
        prepare(make(model, **first(folder)))


def test_unset_options_do_not_count_for_the_name_of_a_run(make):
    """Runs from before there were masks and lists of volumes are found again."""
    config = make(image="a.h5:raw", labels="a.h5:gt")
    values = dataclasses.asdict(config)
    for name in RUN_LOCAL:
        section, _, key = name.rpartition(".")
        del (values[section] if section else values)[key]
    for name in LATER:
        *sections, key = name.split(".")
        del reduce(dict.__getitem__, sections, values)[key]
    del values["averaging"], values["learning_rate"]["cooldown"], values["data"]["augmentation"]
    text = json.dumps(values, sort_keys=True)
    assert identity(config) == hashlib.sha256(text.encode()).hexdigest()[:8]
    assert identity(config) != identity(make(image="a.h5:raw", labels="a.h5:gt", mask="a.h5:m"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "data.image and data.labels, or data.volumes"),
        ({"image": "a:b", "labels": "a:c", "volumes": [{}]}, r"volumes\[0\]\.image is missing"),
        ({"image": "a:b", "volumes": [{"image": "a:b", "labels": "a:c"}]}, "not both"),
        (
            {"volumes": [{"image": "a:b", "labels": "a:c", "weight": 0}]},
            "weight=0 must be a",
        ),
        ({"volumes": [{"image": "a:b", "label": "a:c"}]}, r"data\.volumes\[0\]\.label"),
        ({"cache_bytes": -1}, "data.cache_bytes=-1"),
        ({"kind": "synthetic", "mask": "a:b"}, "need data.kind=files"),
    ],
)
def test_one_line_names_the_option(make, data, message):
    with pytest.raises(InputError, match=message) as caught:
        prepare(make(**data))
    assert "\n" not in str(caught.value)


def test_masks_and_statistics_that_cannot_be(make, folder):
    write_volumes(folder / "small.h5", {"mask": np.ones((4, 4, 4), np.uint8)})
    with pytest.raises(InputError, match=r"mask .*small\.h5:mask has shape"):
        prepare(make(**first(folder, mask=f"{folder}/small.h5:mask")))
    with pytest.raises(InputError, match=r"stddev=0\.0 must be a number"):
        prepare(make(**first(folder, mean=0.0, stddev=0.0)))
    with pytest.raises(InputError, match="coordinates, mean and stddev of a:b must be set"):
        open_dataset(
            from_dict(DataConfig, {"name": "d", "kind": "files", "image": "a:b", "labels": "a:c"}),
            make(**first(folder)).model.geometry,
        )


def test_the_longest_axis_is_split_where_the_last_fraction_begins():
    assert held_out_boundary((30, 48, 32), 0.25) == (1, 36)
    region = held_out_region(Box((0, 0, 0), (30, 48, 32)), ValidationConfig())
    assert (region.start_zyx, region.size_zyx) == ([0, 36, 0], [30, 12, 32])


def test_the_voxel_size_is_given_or_read_and_makes_no_other_run(make, folder, tmp_path):
    for name, size in (("thick", (30.0, 8.0, 8.0)), ("turned", (8.0, 8.0, 30.0))):
        image, labels = synthesize(SHAPE, 0, object_radius_vx=6)
        placements = dict.fromkeys(("image", "labels"), Placement(size))
        volumes = {"image": image, "labels": labels}
        write_volumes(tmp_path / f"{name}.h5", volumes, placements=placements)
    thick = {k: f"{tmp_path}/thick.h5:{k}" for k in ("image", "labels")}
    warnings: list[str] = []
    assert prepare(make(**thick), warnings.append).data.voxel_size_nm == [30.0, 8.0, 8.0]
    assert prepare(make(**first(folder)), warnings.append).data.voxel_size_nm is None
    assert warnings == []
    given = make(**thick, voxel_size_nm=[40, 4, 4])
    assert prepare(given, warnings.append).data.voxel_size_nm == [40.0, 4.0, 4.0]
    assert identity(given) == identity(make(**thick))
    turned = {k: f"{tmp_path}/turned.h5:{k}" for k in ("image", "labels")}
    prepare(make(**turned), warnings.append)
    prepare(make(volumes=[thick, turned]), warnings.append)
    assert ["taken as given" in warnings[0], "in x, y, z order" in warnings[1]] == [True, True]
    assert "differ in size" in warnings[2]
    with pytest.raises(InputError, match=r"data\.voxel_size_nm=\[30\.0, 8\.0\] must have three"):
        make(**thick, voxel_size_nm=[30, 8])


def test_a_segmentation_knows_the_voxel_size_of_its_training(make, folder, tmp_path):
    run = prepare(make(**first(folder), voxel_size_nm=[30, 8, 8]))
    write_config(tmp_path, run)
    checkpoint = tmp_path / CHECKPOINTS / "step-00000001"
    checkpoint.mkdir(parents=True)
    (checkpoint / MANIFEST).touch()
    trained = resolve(SegmentConfig(checkpoint=str(tmp_path)))
    assert trained.voxel_size_nm == [30.0, 8.0, 8.0]
    given = resolve(SegmentConfig(checkpoint=str(tmp_path), voxel_size_nm=[40.0, 4.0, 4.0]))
    assert given.voxel_size_nm == [40.0, 4.0, 4.0]
    assert given.identity == trained.identity


def places(source: CanvasSource, axis: int) -> np.ndarray:
    (volume,) = source.volumes
    return np.unravel_index(np.concatenate(volume.coordinates.indices), SHAPE)[axis]


def test_labels_in_a_box_are_split_within_it(make, folder):
    """Labeled are 40 sections, 24 rows and 20 columns; the last 10 sections are held out."""
    box = [[4, 4, 8], [44, 28, 28]]
    config = prepare(make(**first(folder, labels_box=box)))
    source, (held_out,) = canvas_sources(config)
    assert (places(source, 0).min(), places(source, 0).max()) == (4, 34 - 3 - 1)
    assert (places(held_out, 0).min(), places(held_out, 0).max()) == (34 + 3, 43)
    assert (places(source, 2).min(), places(source, 2).max()) == (8, 27)
    canvases = [source.draw(np.random.default_rng(seed)) for seed in range(20)]
    assert any(not canvas.labeled.all() for canvas in canvases)
    assert all(canvas.labeled[3, 3, 3] for canvas in canvases)
    assert identity(config) != identity(make(**first(folder)))


def test_a_mask_says_where_labels_are_true(make, folder):
    """They are in the first 16 rows; the box around them is found once."""
    options = first(folder, labels_mask=f"zarr3:{folder}/mask")
    config = prepare(make(**options))
    assert config.data.labels_box == [[0, 0, 0], [48, 16, 32]]
    source, (held_out,) = canvas_sources(config)
    assert places(source, 1).max() == places(held_out, 1).max() == 15
    rng = np.random.default_rng(0)
    assert {canvas.labeled.all() for canvas in (source.draw(rng) for _ in range(30))} == {
        True,
        False,
    }
    listed = prepare(make(volumes=[options]))
    assert listed.data.volumes[0].labels_box == [[0, 0, 0], [48, 16, 32]]
    assert prepare(listed) == listed


def test_a_box_of_ones_own_is_held_out(make, folder):
    """Canvases reach 3 voxels: those held out lie in it, those trained on touch it nowhere."""
    corners = [[20, 8, 8], [40, 24, 24]]
    config = prepare(make(validation={"box": corners}, **first(folder)))
    source, (held_out,) = canvas_sources(config)
    for axis, (start, stop) in enumerate(zip(*corners, strict=True)):
        inside = places(held_out, axis)
        assert (inside.min(), inside.max()) == (start + 3, stop - 3 - 1)
    train = np.stack([places(source, axis) for axis in range(3)], axis=1)
    reached = (train + 3 >= corners[0]) & (train - 3 < corners[1])
    assert not reached.all(axis=1).any()
    assert places(source, 0).max() == SHAPE[0] - 3 - 1
    assert prepare(config) == config


def test_what_is_labeled_of_what_a_run_held_out_is_segmented_and_scored(make, folder, tmp_path):
    box = [[4, 4, 8], [44, 28, 28]]
    write_config(tmp_path, prepare(make(**first(folder, labels_box=box))))
    checkpoint = tmp_path / CHECKPOINTS / "step-00000001"
    checkpoint.mkdir(parents=True)
    (checkpoint / MANIFEST).touch()
    config = resolve(SegmentConfig(checkpoint=str(tmp_path)))
    assert config.region == ResolvedRegion(start_zyx=[34, 4, 8], size_zyx=[10, 24, 20])
    truth = config.open_truth(0)
    assert truth.read((0, 0, 0), (4, 32, 32)).any() == np.False_
    assert truth.read((34, 4, 8), (10, 24, 20)).any()
    given = resolve(
        SegmentConfig(
            checkpoint=str(tmp_path),
            labels=f"{folder}/em-1-labels".replace("em-1-labels", "em-0.h5:labels"),
            image=f"{folder}/em-0.h5:image",
        )
    )
    assert given.labels_box is None
    assert given.identity == replace(given, labels_box=box).identity


@pytest.mark.parametrize(
    ("validation", "data", "option"),
    [
        ({}, {"labels_box": [[0, 0, 0], [8, 8, 8]]}, r"change validation\.fraction=0\.25"),
        ({"fraction": 0.95}, {}, r"change validation\.fraction=0\.95"),
        ({"box": [[0, 0, 0], [6, 9, 9]]}, {}, r"validation\.box of \(6, 9, 9\) voxels"),
        ({"box": [[0, 0, 0], [48, 32, 32]]}, {}, r"validation\.box=.* leaves nothing to train"),
        ({"box": [[0, 0, 0], [48, 32, 33]]}, {}, r"validation\.box=.* does not lie in the volume"),
        ({"box": [[0, 0]]}, {}, r"validation\.box=\[\[0,0\]\] must be two corners"),
        (
            {"box": [[30, 0, 0], [48, 32, 32]]},
            {"labels_box": [[0, 0, 0], [24, 32, 32]]},
            r"no training coordinate .* validation\.box=.* must hold whole canvases",
        ),
        ({}, {"labels_box": [[0, 0, 0], [48, 32, 40]]}, r"data\.labels_box=.* does not lie in"),
        ({}, {"min_object_voxels": 10**6}, r"lower min_size \(data\.min_object_voxels\)"),
    ],
)
def test_where_no_canvas_is_left_the_option_is_named(make, folder, validation, data, option):
    with pytest.raises(InputError, match=option) as caught:
        prepare(make(validation=validation, **first(folder, **data)))
    assert "\n" not in str(caught.value)


def test_options_of_one_volume_are_not_of_several(make, folder):
    several = [first(folder), second(folder)]
    with pytest.raises(InputError, match=r"data\.labels_box and data\.labels_mask are of"):
        make(volumes=several, labels_mask="a:b")
    with pytest.raises(InputError, match=r"validation\.box=.* is of one volume"):
        prepare(make(validation={"box": [[20, 8, 8], [40, 24, 24]]}, volumes=several))


def test_volumes_in_a_list_keep_the_identity_from_before_they_could_be_labeled_in_part(make):
    volumes = [{"image": "a.h5:raw", "labels": "a.h5:gt"}]
    config = make(volumes=volumes)
    values = dataclasses.asdict(config.data.volumes[0])
    assert identity(config) == "34eeb9ee", "as computed before the two options existed"
    for key in ("labels_box", "labels_mask"):
        given = {"labels_box": [[0, 0, 0], [1, 1, 1]], "labels_mask": "a:b"}[key]
        assert values[key] is None
        assert identity(make(volumes=[volumes[0] | {key: given}])) != identity(config)


def test_training_images_are_changed_and_held_out_ones_are_not(make, folder):
    plain, noisy = make(**first(folder)), make(**first(folder, augmentation={"noise": 0.5}))
    assert identity(plain) != identity(noisy)
    (source, held_out), (changed, same) = (canvas_sources(prepare(c)) for c in (plain, noisy))
    for ours, theirs, equal in ((source, changed, False), (held_out[0], same[0], True)):
        one, other = (s.draw(np.random.default_rng(4)) for s in (ours, theirs))
        np.testing.assert_array_equal(one.is_object, other.is_object)
        assert np.array_equal(one.image, other.image) == equal
    with pytest.raises(InputError, match=r"data\.augmentation\.contrast=1\.5 must be a number"):
        make(**first(folder, augmentation={"contrast": 1.5}))
