"""A trained network by the name a user gives: its settings, as recorded, and its weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.config.cluster import ClusterConfig
from experiments.config.parsing import from_dict
from experiments.config.run_names import named_run, near_names
from experiments.config.schema import DataConfig, ModelConfig, ValidationConfig
from experiments.reporting.run_files import CONFIG, RunDirectory
from ffn_core.errors import InputError
from ffn_core.geometry import FovGeometry
from ffn_core.seed import SeedValues
from ffn_core.training import checkpoint as checkpoints

if TYPE_CHECKING:
    from ffn_core.model import ConvStack

RUNS_DIR = "runs"
"""Where runs are kept unless ``runs_dir`` says otherwise."""

PUBLISHED_GEOMETRY = FovGeometry((33, 33, 33), (8, 8, 8))
"""Of google/ffn's FIB-25 network; a TensorFlow 1 checkpoint does not say."""


@dataclass(frozen=True)
class TrainingRun:
    """Settings of the run around a checkpoint that matter for its network; see `Config`."""

    model: ModelConfig
    data: DataConfig
    validation: ValidationConfig
    cluster: ClusterConfig
    seed_values: SeedValues = field(default_factory=SeedValues)


@dataclass(frozen=True)
class TrainedNetwork:
    """A checkpoint that was found.

    Attributes:
        path: Absolute; a checkpoint folder of ours, or a TensorFlow prefix.
        geometry: FOV and deltas of the training.
        mean: What the training subtracted from intensities; None if unknown.
        stddev: What it divided them by.
        precision: Of its convolutions.
        run: The run it comes from; None for a TensorFlow checkpoint.
    """

    path: Path
    geometry: FovGeometry
    mean: float | None = None
    stddev: float | None = None
    precision: str = "float32"
    run: TrainingRun | None = None


def find_network(
    name: str, option: str = "checkpoint", runs_dir: str | Path = RUNS_DIR, newest: bool = False
) -> TrainedNetwork:
    """Find a checkpoint.

    Args:
        name: Run directory or name of a run (its best checkpoint is taken, without one its newest),
            checkpoint folder in a run directory, or path of a TensorFlow 1 checkpoint without
            extension. What is there under that path counts before names.
        option: By which the user gave it, for what is said where there is none.
        runs_dir: Where runs are looked for by name.
        newest: Take the newest checkpoint of a run, not its best.

    Raises:
        InputError: There is none, the name is of several runs, or the run directory around it is
            not complete.
    """
    path = Path(name).absolute()
    if path.with_name(f"{path.name}.index").is_file():
        return TrainedNetwork(path, PUBLISHED_GEOMETRY)
    if (path / checkpoints.MANIFEST).is_file():
        run = training_run(path.parent.parent)
        model, data = run.model, run.data
        return TrainedNetwork(path, model.geometry, data.mean, data.stddev, model.precision, run)
    if (chosen := _chosen(path, newest)) is not None:
        return find_network(str(chosen), option)
    if not path.exists() and (run_dir := named_run(name, Path(runs_dir), option)) is not None:
        if (chosen := _chosen(run_dir, newest)) is None:
            raise InputError(f"{option}={name} is the run {run_dir}, which has no checkpoint yet")
        return find_network(str(chosen), option)
    raise InputError(
        f"{option}={name}: neither a run directory with checkpoints, nor a checkpoint folder, nor a"
        f" TensorFlow checkpoint (no file {path}.index), nor the name of a run;"
        f" {near_names(name, Path(runs_dir))}"
    )


def _chosen(run_dir: Path, newest: bool) -> Path | None:
    """The checkpoint of a run directory that stands for it; None if it has none."""
    run = RunDirectory(run_dir)
    folders = (run.checkpoints, run.best) if newest else (run.best, run.checkpoints)
    return next(filter(None, map(checkpoints.latest, folders)), None)


def load_network(path: Path, which: str = "averaged", precision: str = "float32") -> ConvStack:
    """Build the network of `TrainedNetwork.path` with its weights; imports TensorFlow.

    Args:
        path: Of the checkpoint.
        which: One of `experiments.config.schema.WEIGHTS`.
        precision: Of its convolutions.

    Raises:
        InputError: The checkpoint is damaged, or does not fit its run's config.
    """
    from ffn_core.model import ConvStack, load_published_checkpoint

    if (path / checkpoints.MANIFEST).is_file():
        size = training_run(path.parent.parent).model.size
        shared = checkpoints.load(path)
        weights = (which == "averaged" and shared.averaged) or shared.weights
    else:
        size, weights = load_published_checkpoint(str(path))
    model = ConvStack(size, seed=0, precision=precision)
    try:
        model.assign(weights)
    except ValueError:
        raise InputError(f"{path}: the weights do not fit a network of {size}") from None
    return model


def training_run(run_dir: Path) -> TrainingRun:
    """Read the settings of a run's network from its directory.

    Raises:
        InputError: Its config is missing or damaged.
    """
    try:
        values = RunDirectory(run_dir).config()
        return TrainingRun(
            from_dict(ModelConfig, values["model"], "model."),
            from_dict(DataConfig, values["data"], "data."),
            from_dict(ValidationConfig, values.get("validation", {}), "validation."),
            from_dict(ClusterConfig, values.get("cluster", {}), "cluster."),
            from_dict(SeedValues, values.get("seed_values", {}), "seed_values."),
        )
    except (InputError, KeyError, TypeError) as error:
        raise InputError(
            f"checkpoints need their run's {run_dir / CONFIG} to know the network's size ({error})"
        ) from None
