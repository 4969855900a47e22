"""``python -m experiments.segment checkpoint=... image=path:dataset``: fill a volume with objects.

Options are those of `experiments.segment_schema`, defaults in ``conf/segment.yaml``. Repeating a
command goes on where it was interrupted. Exit codes are those of `experiments.exit_codes`.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import h5py
import numpy as np
import yaml

from experiments import records, segment_files
from experiments.hydra_segment import run_segment_app
from experiments.screen import Screen
from experiments.segment_processes import run_workers
from experiments.segment_resolve import resolve
from experiments.segment_schema import SegmentConfig
from experiments.segment_worker import load_config, make_grid
from experiments.typed import from_dict
from ffn_core.errors import InputError
from ffn_core.inference.box import Box
from ffn_core.inference.evaluation import Agreement, Evaluation, evaluate_volumes
from ffn_core.inference.reconcile import reconcile
from ffn_core.inference.subvolumes import Grid
from ffn_core.volumes import open_labels, whole_file

_HEADER = ["voxels", "ARE", "precision", "recall", "VOI split", "VOI merge"]
_KEPT_SUBVOLUMES: Final = 2
"""In memory while subvolumes are reconciled: the two sides of a seam."""


@dataclass(frozen=True)
class Summary:
    """What a segmentation took and gave: segments, FOVs evaluated, subvolumes."""

    segments: int
    fovs: int
    subvolumes: int


def main() -> int:
    """Run the app; returns the exit code."""
    screen = Screen()
    return run_segment_app(lambda config: segment(resolve(config), screen))


def segment(config: SegmentConfig, screen: Screen) -> None:
    """Carry out a resolved config, and show what came of it."""
    folder, grid = config.directory, make_grid(config)
    _check_folder(folder, config)
    screen.say(f"{len(grid.subvolumes)} subvolume(s) of {grid.size_zyx} voxels (zyx) in {folder}")
    summary, evaluation = carry_out(config, screen)
    screen.say(
        f"{summary.segments} segments from {summary.fovs:,} FOVs: {segment_files.result(folder)}"
    )
    if evaluation is not None:
        print_evaluation(evaluation, screen)
    if config.pictures:
        _draw(config, grid.region, folder, screen)


def carry_out(
    config: SegmentConfig, screen: Screen, what: str = "segmenting"
) -> tuple[Summary, Evaluation | None]:
    """Segment, reconcile and, with labels, score; what is complete in the folder is read back.

    ``what`` stands before the progress bar.
    """
    folder = config.directory
    if (done := _read_back(config, folder)) is not None:
        return done
    _claim(folder, config)
    grid = make_grid(config)
    run_workers(folder, len(grid.subvolumes), config.processes, screen.console, what)
    summary = _finish(config, grid, folder)
    evaluation = _score(config, grid.region, folder) if config.labels else None
    records.write_json(folder / records.RESULT, dataclasses.asdict(summary))
    return summary, evaluation


def _read_back(config: SegmentConfig, folder: Path) -> tuple[Summary, Evaluation | None] | None:
    """Results of the same segmentation against the same labels; None without them."""
    result = records.read_json(folder / records.RESULT)
    if result is None:
        return None
    before = load_config(folder)
    if (before.identity, before.labels) != (config.identity, config.labels):
        return None
    scores = records.read_json(folder / segment_files.EVALUATION) if config.labels else None
    return from_dict(Summary, result), from_dict(Evaluation, scores) if scores else None


def _check_folder(folder: Path, config: SegmentConfig) -> None:
    """Refuse a folder in which another segmentation lives."""
    if segment_files.has_results(folder) and load_config(folder).identity != config.identity:
        raise InputError(
            f"out={folder} holds a segmentation with other settings; choose another folder or"
            " remove that one"
        )


def _claim(folder: Path, config: SegmentConfig) -> None:
    """Write the config into the folder; what was complete in it no longer counts as such."""
    _check_folder(folder, config)
    folder.mkdir(parents=True, exist_ok=True)
    for name in (records.STOP, records.RESULT):
        (folder / name).unlink(missing_ok=True)
    with whole_file(folder / records.CONFIG) as partial:
        partial.write_text(yaml.safe_dump(dataclasses.asdict(config), sort_keys=False))


def _finish(config: SegmentConfig, grid: Grid, folder: Path) -> Summary:
    """Reconcile the subvolumes into the result file; returns what it took."""
    files = [segment_files.finished_path(folder, sub.index) for sub in grid.subvolumes]
    region = grid.region

    @functools.lru_cache(maxsize=_KEPT_SUBVOLUMES)
    def read(index: int) -> np.ndarray:
        return segment_files.load_segments(files[index])

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

        least, min_iou = config.flood.min_segment_size, config.subvolume.min_iou
        count = reconcile(grid, read, write, least, min_iou)
        dataset.attrs["start_zyx"] = region.start_zyx
        dataset.attrs["settings"] = json.dumps(dataclasses.asdict(config))
    return Summary(count, sum(map(segment_files.load_fovs, files)), len(files))


def _score(config: SegmentConfig, region: Box, folder: Path) -> Evaluation:
    """Compare the result with the ground truth, and keep the scores."""
    assert config.labels is not None
    ids = open_labels(segment_files.result(folder))
    evaluation = evaluate_volumes(open_labels(config.labels), ids, region.start_zyx)
    records.write_json(folder / segment_files.EVALUATION, dataclasses.asdict(evaluation))
    return evaluation


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
    assert config.image is not None
    command = [sys.executable, "-m", "analysis.pictures", segment_files.result(folder)]
    command += ["--image", config.image]
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
