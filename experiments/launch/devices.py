"""What can be said of the devices of a run before its ranks start."""

from __future__ import annotations

from experiments.config.schema import Config
from ffn_core.devices.host import gpu_models, room_for_ranks, usable_gpus
from ffn_core.devices.installed import (
    horovod_folder,
    require_horovod,
    require_tensorflow,
    tensorflow_build,
)
from ffn_core.devices.placement import warn_of_idle_gpus, warn_of_shared_gpus
from ffn_core.errors import InputError
from ffn_core.runtime import warn_of_precision


def check_installed(device: str) -> None:
    """Check that what is installed can train on ``device``.

    Ranks on other hosts have the same environment, which is on a file system that all of them see.

    Raises:
        InputError: it cannot.
    """
    require_tensorflow(device, tensorflow_build())
    require_horovod(horovod_folder())


def check_side_by_side(config: Config) -> None:
    """Check that points that run side by side do not all take the first of several GPUs.

    Raises:
        InputError: they would.
    """
    gpus = usable_gpus(config.device)
    if config.sweep.parallel > 1 and gpus > 1:
        raise InputError(
            f"sweep.parallel={config.sweep.parallel} is for points that share cores, or one GPU; "
            f"of the {gpus} GPUs here all would take the first: leave it at 1, and give a point as "
            "many ranks as there are GPUs (cluster.ranks), or choose device=cpu"
        )


def is_here(config: Config) -> bool:
    """Whether all ranks are processes of this machine; others look at their own."""
    launcher = config.launcher
    elsewhere = config.batch.system or launcher.hosts or launcher.name not in ("gloo", "mpi")
    return not elsewhere


def warnings_of_devices(config: Config) -> list[str]:
    """Lines about devices that will hold back the ranks of ``config``, or stand idle."""
    launcher = config.launcher
    if not is_here(config):
        fullest = min(config.cluster.ranks, launcher.ranks_per_node)
        lines = [warn_of_shared_gpus(fullest, launcher.gpus_per_node or 0)]
        return [line for line in lines if line]
    gpus, build = usable_gpus(config.device), tensorflow_build()
    ranks = config.on(room_for_ranks(config.device)).cluster.ranks
    lines = [
        warn_of_idle_gpus(config.device, gpu_models(), build.kind if build else "cpu"),
        warn_of_shared_gpus(ranks, gpus),
        None if gpus else warn_of_precision(config.model.precision),
    ]
    return [line for line in lines if line]
