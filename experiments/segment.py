"""``python -m experiments.segment checkpoint=... image=path:dataset``: fill a volume with objects.

Options are those of `experiments.segment_schema`, defaults in ``conf/segment.yaml``. Repeating a
command goes on where it was interrupted. Exit codes are those of `experiments.exit_codes`.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import yaml
from omegaconf import MISSING, DictConfig

from experiments import records, segment_files
from experiments.hydra_compose import run_app, store_schema, to_typed
from experiments.network import find_network
from experiments.screen import Screen
from experiments.segment_processes import run_workers
from experiments.segment_schema import RegionConfig, SegmentConfig
from experiments.segment_worker import load_config, make_grid
from ffn_core.errors import InputError
from ffn_core.geometry import FovGeometry, Zyx, as_zyx
from ffn_core.inference import seeds
from ffn_core.inference.box import Box
from ffn_core.inference.evaluation import Agreement, Evaluation, evaluate
from ffn_core.inference.reconcile import reconcile
from ffn_core.inference.subvolumes import Grid
from ffn_core.volumes import check_pair, open_labels, open_volume, whole_file

_HEADER = ["voxels", "ARE", "precision", "recall", "VOI split", "VOI merge"]


def main() -> int:
    """Run the app; returns the exit code."""
    screen = Screen()
    store_schema("segment_schema", SegmentConfig(checkpoint=MISSING, image=MISSING))

    def task(composed: DictConfig) -> None:
        segment(resolve(to_typed(composed, SegmentConfig)), screen)

    return run_app(task, "segment")


def segment(config: SegmentConfig, screen: Screen) -> None:
    """Carry out a resolved config: subvolumes, one segmentation, scores, pictures."""
    folder = config.directory
    _claim(folder, config)
    grid = make_grid(config)
    screen.say(f"{len(grid.subvolumes)} subvolume(s) of {grid.size_zyx} voxels (zyx) in {folder}")
    run_workers(folder, len(grid.subvolumes), config.processes, screen.console)
    result = _finish(config, grid, folder)
    screen.say(
        f"{result['segments']} segments from {result['fovs']:,} FOVs: "
        f"{folder / segment_files.SEGMENTATION}:{segment_files.DATASET}"
    )
    if config.labels:
        _score(config, grid.region, folder, screen)
    if config.pictures:
        _draw(config, grid.region, folder, screen)
    records.write_json(folder / records.RESULT, result)


def resolve(config: SegmentConfig) -> SegmentConfig:
    """Fill in what the network and the image determine, with absolute paths.

    Raises:
        InputError: for anything that could not work on the workers.
    """
    network = find_network(config.checkpoint)
    fov = config.fov_zyx or list(network.geometry.fov_zyx)
    deltas = config.deltas_zyx or list(network.geometry.deltas_zyx)
    mean = network.mean if config.mean is None else config.mean
    stddev = network.stddev if config.stddev is None else config.stddev
    if mean is None or stddev is None:
        raise InputError(
            f"checkpoint={config.checkpoint} does not say how intensities were normalised: give"
            " mean and stddev (the published FIB-25 network: mean=128 stddev=33)"
        )
    FovGeometry(as_zyx(fov, "fov_zyx"), as_zyx(deltas, "deltas_zyx"))
    _ = config.flood.settings
    image = open_volume(config.image)
    if config.labels:
        check_pair(image, open_labels(config.labels))
    if config.seeds.policy not in seeds.POLICIES:
        raise InputError(
            f"seeds.policy={config.seeds.policy!r} is unknown; choose from"
            f" {', '.join(seeds.POLICIES)}"
        )
    if config.seeds.policy == "manual":
        seeds.manual(config.seeds.points, image.shape_zyx)
    resolved = replace(
        config,
        checkpoint=str(network.path),
        image=_absolute(config.image),
        labels=_absolute(config.labels) if config.labels else None,
        mean=mean,
        stddev=stddev,
        fov_zyx=fov,
        deltas_zyx=deltas,
        region=_region(config.region, image.shape_zyx),
    )
    make_grid(resolved)
    return resolved


def _region(region: RegionConfig, volume_zyx: Zyx) -> RegionConfig:
    start = as_zyx(region.start_zyx, "region.start_zyx")
    rest = [n - a for n, a in zip(volume_zyx, start, strict=True)]
    size = rest if region.size_zyx is None else as_zyx(region.size_zyx, "region.size_zyx")
    for a, n, most in zip(start, size, rest, strict=True):
        if a < 0 or n < 1 or n > most:
            raise InputError(
                f"region.start_zyx={list(start)} with region.size_zyx={list(size)} does not lie in"
                f" the image of {volume_zyx} voxels (zyx)"
            )
    return RegionConfig(list(start), list(size))


def _absolute(spec: str) -> str:
    path, _, dataset = spec.rpartition(":")
    return f"{Path(path).absolute()}:{dataset}"


def _claim(folder: Path, config: SegmentConfig) -> None:
    """Write the config into the folder, unless another segmentation lives there."""
    file = folder / records.CONFIG
    if segment_files.has_results(folder) and load_config(folder).identity != config.identity:
        raise InputError(
            f"out={folder} holds a segmentation with other settings; choose another folder or"
            " remove that one"
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / records.STOP).unlink(missing_ok=True)
    with whole_file(file) as partial:
        partial.write_text(yaml.safe_dump(dataclasses.asdict(config), sort_keys=False))


def _finish(config: SegmentConfig, grid: Grid, folder: Path) -> dict[str, int]:
    """Reconcile the subvolumes into the result file; returns what it took."""
    states = [
        segment_files.load_state(segment_files.finished_path(folder, sub.index))
        for sub in grid.subvolumes
    ]
    region = grid.region
    with (
        whole_file(folder / segment_files.SEGMENTATION) as partial,
        h5py.File(partial, "w") as file,
    ):
        dataset = file.create_dataset(
            segment_files.DATASET,
            shape=region.shape_zyx,
            dtype=np.uint32,
            chunks=tuple(min(64, n) for n in region.shape_zyx),
            compression="gzip",
            compression_opts=1,
        )

        def write(core: Box, ids: np.ndarray) -> None:
            dataset[core.slices_in(region)] = ids

        count = reconcile(
            grid,
            lambda index: states[index].segments,
            write,
            config.flood.min_segment_size,
            config.subvolume.min_iou,
        )
        dataset.attrs["start_zyx"] = region.start_zyx
        dataset.attrs["settings"] = json.dumps(dataclasses.asdict(config))
    return {
        "segments": count,
        "fovs": sum(state.fovs for state in states),
        "subvolumes": len(states),
    }


def _score(config: SegmentConfig, region: Box, folder: Path, screen: Screen) -> None:
    """Compare the result with the ground truth: a table, and a JSON file."""
    assert config.labels is not None
    truth = open_labels(config.labels).read(region.start_zyx, region.shape_zyx)
    result = f"{folder / segment_files.SEGMENTATION}:{segment_files.DATASET}"
    evaluation = evaluate(truth, open_labels(result).read((0, 0, 0), region.shape_zyx))
    records.write_json(folder / segment_files.EVALUATION, dataclasses.asdict(evaluation))
    print_evaluation(evaluation, screen)


def print_evaluation(evaluation: Evaluation, screen: Screen) -> None:
    """Scores as a table on standard output."""
    title = (
        f"{evaluation.segments} segments against {evaluation.truth_objects} true objects; "
        f"{evaluation.coverage:.1%} of the foreground is segmented"
    )
    rows = [
        ["foreground", *_cells(evaluation.foreground)],
        ["assigned", *_cells(evaluation.assigned)],
    ]
    screen.table(title, ["over", *_HEADER], rows)


def _cells(scores: Agreement) -> list[str]:
    rates = (scores.are, scores.precision, scores.recall, scores.voi_split, scores.voi_merge)
    return [f"{scores.voxels:,}", *(f"{rate:.4f}" for rate in rates)]


def _draw(config: SegmentConfig, region: Box, folder: Path, screen: Screen) -> None:
    """Pictures are drawn by another process: this package does not depend on ``analysis``."""
    result = f"{folder / segment_files.SEGMENTATION}:{segment_files.DATASET}"
    command = [sys.executable, "-m", "analysis.pictures", result, "--image", config.image]
    if config.labels:
        command += ["--labels", config.labels]
    command += ["--start", *map(str, region.start_zyx), "--out", str(folder)]
    drawing = subprocess.run(
        command, cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=False
    )
    if drawing.returncode:
        screen.warn(f"no pictures: {drawing.stderr.strip().splitlines()[-1]}")
    else:
        screen.say(drawing.stdout.strip())


if __name__ == "__main__":
    sys.exit(main())
