"""Which processor of its host a rank computes on: chosen, set up in TensorFlow, described."""

from __future__ import annotations

from dataclasses import dataclass

from ffn_core.devices.host import cpu_model
from ffn_core.devices.installed import SWITCH, require_tensorflow, tensorflow_build
from ffn_core.errors import InputError

DEVICES = ("auto", "cpu", "gpu")
"""What a run may ask for; ``auto`` is a GPU where TensorFlow sees one, else the CPU."""


def require_known(option: str, device: str) -> None:
    """Check that ``device``, given as ``option``, is one of `DEVICES`.

    Raises:
        InputError: it is not.
    """
    if device not in DEVICES:
        raise InputError(f"{option}={device!r} is unknown; choose from {', '.join(DEVICES)}")


def choose(device: str, gpus: int, local_rank: int) -> int | None:
    """Index of the GPU a rank computes on; None for the CPU.

    Ranks of a host take its GPUs in turn. Where a launcher shows each rank one GPU of its own,
    that is the one.

    Args:
        device: one of `DEVICES`.
        gpus: how many TensorFlow sees in this rank.
        local_rank: number of this rank among those of its host, from 0.

    Raises:
        InputError: a GPU is asked for and there is none.
    """
    if device == "cpu" or (device == "auto" and not gpus):
        return None
    if not gpus:
        raise InputError(
            "device=gpu, but TensorFlow sees no GPU: check nvidia-smi, CUDA_VISIBLE_DEVICES and "
            "that the job was given one; device=auto computes on the CPU instead"
        )
    return local_rank % gpus


def warn_of_shared_gpus(ranks: int, gpus: int) -> str | None:
    """Line about ranks of a host that outnumber its GPUs; None where each has one, or none has."""
    if not 0 < gpus < ranks:
        return None
    return (
        f"{ranks} ranks of a host share {gpus} GPU{'s' if gpus > 1 else ''}, and wait for each "
        f"other: use at most {gpus} (cluster.ranks, launcher.ranks_per_node)"
    )


def warn_of_idle_gpus(device: str, models: list[str], kind: str) -> str | None:
    """Line about GPUs of this host that the TensorFlow installed cannot use.

    Args:
        device: one of `DEVICES`.
        models: names of the GPUs.
        kind: of the TensorFlow, ``cpu`` or ``gpu``.
    """
    if device != "auto" or not models or kind == "gpu":
        return None
    return (
        f"this host has {len(models)} GPUs ({models[0]}), and the TensorFlow installed is the one "
        f"for CPUs: `{SWITCH}` replaces it, device=cpu silences this line"
    )


@dataclass(frozen=True)
class Device:
    """What a rank computes on.

    Attributes:
        kind: ``cpu`` or ``gpu``.
        name: as its maker calls it.
        gpus: how many this rank could have had.
        facts: what else there is to record of it, by name.
    """

    kind: str
    name: str
    gpus: int
    facts: dict[str, str]

    def described(self) -> dict[str, str]:
        """For the provenance of a run."""
        return {"device.kind": self.kind, "device.name": self.name, **self.facts}


def place(device: str, local_rank: int) -> Device:
    """Choose the processor of this rank and have TensorFlow use no other GPU.

    To be called once, before TensorFlow computes anything. Of the GPU's memory only what is needed
    is taken, so that ranks can share one, and other programs too.

    Args:
        device: one of `DEVICES`.
        local_rank: number of this rank among those of its host.

    Raises:
        InputError: see `choose`.
    """
    import tensorflow as tf

    require_tensorflow(device, tensorflow_build())
    gpus = tf.config.list_physical_devices("GPU")
    index = choose(device, len(gpus), local_rank)
    if index is None:
        if gpus:
            tf.config.set_visible_devices([], "GPU")
        return Device("cpu", cpu_model(), len(gpus), {})
    chosen = gpus[index]
    tf.config.set_visible_devices([chosen], "GPU")
    tf.config.experimental.set_memory_growth(chosen, True)
    details = tf.config.experimental.get_device_details(chosen)
    build = tf.sysconfig.get_build_info()
    capability = ".".join(str(part) for part in details.get("compute_capability", ("unknown",)))
    facts = {
        "device.compute_capability": capability,
        "version.cuda": str(build.get("cuda_version", "unknown")),
        "version.cudnn": str(build.get("cudnn_version", "unknown")),
    }
    return Device("gpu", str(details.get("device_name", "unknown")), len(gpus), facts)


def gpu_memory_bytes() -> tuple[int, int] | None:
    """Memory of its GPU that TensorFlow holds in this process, and the most it has held."""
    import tensorflow as tf

    if not tf.config.list_logical_devices("GPU"):
        return None
    info = tf.config.experimental.get_memory_info("GPU:0")
    return info["current"], info["peak"]
