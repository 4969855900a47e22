"""The environment of a process: what TensorFlow needs before its import, the machine, the store."""

from __future__ import annotations

import contextlib
import gc
import os
import re
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from ffn_core.limits.host import Host

NATIVE_BFLOAT16 = ("avx512_bf16", "amx_bf16", "avx_ne_convert")
"""Names that Linux gives to what lets a CPU multiply bfloat16 numbers by itself."""

_SQLITE = "sqlite:///"
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}|[?]")


def before_tensorflow() -> None:
    """Set what TensorFlow reads once, at import.

    oneDNN is off by default on CPUs without AVX-512; a training step is then several times slower.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


_NEVER, _NOT_YET = ("IPython", "matplotlib", "pandas", "sklearn"), ("scipy",)


def import_little() -> None:
    """Keep TensorFlow and Keras from importing packages that they would offer to use.

    For a rank, at its start. They take two fifths of the time to import TensorFlow, and more from a
    file system on which thousands of ranks look for the same thousand files at the same time. What
    a rank may need itself can be imported again after `configure_tensorflow`.
    """
    for name in (*_NEVER, *_NOT_YET):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]


@contextlib.contextmanager
def without_collection() -> Iterator[None]:
    """Import, or read much, without looking for garbage: TensorFlow takes a fifth less time.

    Both leave a million objects and hardly any garbage. The objects stay, so that it is not looked
    for among them later either.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


def configure_tensorflow(threads: int, precision: str = "float32") -> None:
    """Import TensorFlow and set what every process that computes with it sets, before it computes.

    Args:
        threads: of one operation; operations run one after another, each on all of them.
        precision: of the convolutions, one of `ffn_core.model_size.PRECISIONS`.
    """
    before_tensorflow()
    with without_collection() if "tensorflow" not in sys.modules else contextlib.nullcontext():
        import tensorflow as tf

        tf.keras.optimizers  # noqa: B018 - Keras is loaded when its name is first used
    for name in _NOT_YET:
        if name in sys.modules and sys.modules[name] is None:
            del sys.modules[name]

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    without_remapping()
    allow_tf32(precision)


def without_remapping() -> None:
    """Turn off a rewrite of graphs that fails on the network's, noisily, and changes no timing."""
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"remapping": False})


def allow_tf32(precision: str) -> None:
    """Let GPUs round what goes into products to TF32 (10 bits of mantissa) for ``tf32`` alone.

    TensorFlow does by default; float32 would then mean less on a GPU than on a CPU. To be called
    before each computation where precisions take turns in one process.
    """
    import tensorflow as tf

    tf.config.experimental.enable_tensor_float_32_execution(precision == "tf32")


def cpu_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """What this host's first CPU can do, by the names of Linux; empty if it does not say."""
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    flags = next((line for line in lines if line.startswith("flags")), "")
    return frozenset(flags.partition(":")[2].split())


def native_bfloat16(flags: Collection[str]) -> bool:
    """Whether a CPU with these flags multiplies bfloat16 numbers by itself."""
    return any(name in flags for name in NATIVE_BFLOAT16)


def warn_of_precision(precision: str, flags: Collection[str] | None = None) -> str | None:
    """Line about convolutions on a CPU in a number format that it does not have.

    Args:
        precision: of the convolutions.
        flags: of the CPU; None for this host's.
    """
    if precision == "tf32":
        return "tf32 is a number format of GPUs: on a CPU, as here, convolutions are float32"
    flags = cpu_flags() if flags is None else flags
    if precision != "bfloat16" or native_bfloat16(flags):
        return None
    line = (
        f"this CPU has no native bfloat16 (none of {', '.join(NATIVE_BFLOAT16)}): convolutions in "
        "bfloat16 are emulated, several times slower than in float32"
    )
    # oneDNN emulates them with AVX-512; what TensorFlow has otherwise rounds every partial sum.
    if "avx512f" not in flags:
        line += ", and without AVX-512 less exact; use precision float32"
    return line


def default_tracking_uri() -> str:
    """``MLFLOW_TRACKING_URI``, or ``mlflow.db`` in the working directory, by absolute path."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"{_SQLITE}{Path.cwd() / 'mlflow.db'}"


def sqlite_path(uri: str) -> Path | None:
    """File of a SQLite store; None for any other store."""
    return Path(uri.removeprefix(_SQLITE)) if uri.startswith(_SQLITE) else None


def absolute_uri(uri: str | None) -> str:
    """``uri`` with a relative SQLite path made absolute; None is `default_tracking_uri`.

    A relative path would name another store from every working directory.
    """
    if uri is None:
        return default_tracking_uri()
    path = sqlite_path(uri)
    return uri if path is None else f"{_SQLITE}{path.absolute()}"


def unusable(uri: str) -> str | None:
    """Why MLflow cannot keep a SQLite store at a path, in one line; None where it can.

    SQLAlchemy reads ``?`` and ``%20`` as parts of a URI, MLflow does not and would make a folder of
    another name, and it writes the path into SQL between quotes of one kind or the other.
    """
    path = str(sqlite_path(uri) or "")
    if found := _ESCAPED.search(path):
        what = found.group()
    elif "'" in path and '"' in path:
        what = "both kinds of quotes"
    else:
        return None
    return (
        f"MLflow cannot keep a store at a path with {what}: {path}; name another, by tracking.uri="
        "sqlite:////ANOTHER/FOLDER/mlflow.db or MLFLOW_TRACKING_URI"
    )


def available_cores() -> int:
    """Processors this process may use: by its affinity, and by the CPU quota of its container."""
    return Host().cores()


def threads_per_rank(ranks: int, runs: int = 1) -> int:
    """Compute threads of each of ``ranks`` processes here, where ``runs`` such runs share it."""
    return max(1, available_cores() // (runs * ranks))


def peak_rss_bytes() -> int:
    """Largest resident memory this program has had.

    Not ``ru_maxrss``, which a new program inherits from the process that started it.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status has no VmHWM line")
