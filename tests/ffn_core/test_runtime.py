import gc
import subprocess
import sys

import pytest

from experiments.config.parsing import from_dict
from experiments.config.schema import Config
from experiments.reporting.terminal import Terminal
from experiments.sweep.sweep import Sweep
from ffn_core.runtime import cpu_flags, native_bfloat16, warn_of_precision, without_collection


def test_flags_are_those_of_the_first_cpu(tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text("model name\t: A\nflags\t\t: fpu avx2\nbugs\t: x\n\nflags\t\t: fpu sse\n")
    assert cpu_flags(file) == {"fpu", "avx2"}
    assert cpu_flags(tmp_path / "nothing") == frozenset()


@pytest.mark.parametrize("name", ["avx512_bf16", "amx_bf16", "avx_ne_convert"])
def test_cpus_that_have_bfloat16(name):
    assert native_bfloat16({"avx512f", name})
    assert warn_of_precision("bfloat16", {name}) is None


def test_others_are_warned_of_it_and_of_rounded_sums():
    assert not native_bfloat16({"avx512f", "avx512_vnni"})
    assert warn_of_precision("float32", {"sse"}) is None
    emulated = warn_of_precision("bfloat16", {"avx512f"})
    assert emulated is not None
    assert "no native bfloat16" in emulated
    assert "less exact" not in emulated
    assert "without AVX-512 less exact" in str(warn_of_precision("bfloat16", {"avx2"}))


@pytest.mark.parametrize(("hosts", "lines"), [(None, 1), ("node1:1,node2:1", 0)])
def test_a_sweep_says_once_that_this_machine_emulates_bfloat16(hosts, lines, tmp_path, capsys):
    sweep = Sweep([], Terminal())
    for seed in (1, 2):
        values = {
            "data": {"name": "dummy", "kind": "dummy"},
            "model": {
                "name": "micro",
                "fov_zyx": [7, 7, 7],
                "deltas_zyx": [2, 2, 2],
                "depth": 1,
                "features": 1,
                "precision": "bfloat16",
            },
            "budget": {"steps": 1},
            "cluster": {"nodes": 2, "ranks": 2},
            "launcher": {"hosts": hosts},
            "sweep": {"dry_run": True},
            "seed": seed,
            "runs_dir": str(tmp_path),
        }
        sweep.add(from_dict(Config, values), in_sweep=True)
    found = capsys.readouterr().err.count("no native bfloat16")
    assert found == (0 if native_bfloat16(cpu_flags()) else lines)


def test_garbage_is_looked_for_again_after_an_import_that_failed():
    with pytest.raises(ImportError), without_collection(), without_collection():
        raise ImportError(f"collecting: {gc.isenabled()}")
    assert gc.isenabled()


def test_no_garbage_is_looked_for_in_between():
    with without_collection():
        with without_collection():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_ranks_import_nothing_that_they_do_not_use():
    program = (
        "from ffn_core.runtime import configure_tensorflow, import_little\n"
        "import_little()\n"
        "import experiments.worker, sys\n"
        "configure_tensorflow(1)\n"
        "import experiments.trainer.trainer, experiments.trainer.watchdog\n"
        "print(*(name for name, module in sys.modules.items() if module is not None))\n"
        "import scipy.ndimage"  # what a rank may need is there when it is asked for
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert {"tensorflow", "horovod", "keras"} <= loaded
    assert not loaded & {
        "IPython", "hydra", "matplotlib", "mlflow", "omegaconf", "pandas", "scipy", "sklearn",
        "sqlalchemy", "tensorstore",
    }  # fmt: skip
