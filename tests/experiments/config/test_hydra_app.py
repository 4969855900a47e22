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


def test_an_option_that_a_pair_overrides_is_refused_in_one_line(tmp_path):
    """Of however many points; without it the sweep runs."""
    pair = "sweep.pair={cluster.nodes:4},{cluster.nodes:8}"
    common = ["-m", "model=micro", "budget.steps=1", "sweep.dry_run=true", f"runs_dir={tmp_path}"]
    command = [sys.executable, "-m", "experiments.train", *common, pair]
    twice = subprocess.run([*command, "cluster.nodes=64"], capture_output=True, text=True)
    assert twice.returncode == 2
    assert twice.stderr.startswith("error: cluster.nodes=64 has no effect: sweep.pair sets")
    assert twice.stderr.count("\n") == 1
    once = subprocess.run([*command, "cluster.ranks=1"], capture_output=True, text=True)
    assert once.returncode == 0, once.stderr


def test_so_is_the_choice_of_a_group_that_a_pair_overrides(tmp_path):
    """Of what a pair leaves alone a group may still be chosen."""
    common = ["-m", "budget.steps=1", "sweep.dry_run=true", f"runs_dir={tmp_path}"]
    command = [sys.executable, "-m", "experiments.train", *common]
    pair = "sweep.pair={optimizer.name:sgd,model.depth:2},{optimizer.name:lamb,model.depth:3}"
    refused = subprocess.run([*command, pair, "optimizer=adam"], capture_output=True, text=True)
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: optimizer=adam has no effect: sweep.pair sets")
    assert refused.stderr.count("\n") == 1
    done = subprocess.run([*command, pair, "model=micro"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
