import subprocess
import sys

COUNTED = """
import sys
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from experiments import sweep_status

compose, composed = ConfigLoaderImpl.load_sweep_config, []

def load_sweep_config(self, *args, **kwargs):
    composed.append(args)
    return compose(self, *args, **kwargs)

ConfigLoaderImpl.load_sweep_config = load_sweep_config
code = sweep_status.main()
print(f"exit code {code}, composed {len(composed)}")
"""


def test_a_point_of_a_sweep_that_is_only_collected_is_composed_once(tmp_path):
    overrides = ["-m", "model=micro", "budget.steps=1", f"runs_dir={tmp_path}", "seed=1,2,3"]
    command = [sys.executable, "-c", COUNTED, *overrides]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "exit code 75, composed 3" in done.stdout, done.stderr
