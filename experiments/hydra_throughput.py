"""The Hydra side of the benchmark: a training config with one more section."""

from __future__ import annotations

from collections.abc import Callable

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf, open_dict

from experiments.hydra_compose import run_app, to_config, to_typed
from experiments.schema import Config
from experiments.throughput_schema import ThroughputConfig


def register_throughput_schema() -> None:
    """Store the schema that ``conf/throughput.yaml`` starts from."""
    section = OmegaConf.structured(ThroughputConfig())
    OmegaConf.set_readonly(section, None)  # frozen for the code that uses it, not for overrides
    ConfigStore.instance().store(name="throughput_schema", node={"throughput": section})


def split_config(composed: DictConfig) -> tuple[ThroughputConfig, Config]:
    """The benchmark's own section, and the config of its runs, both typed."""
    with open_dict(composed):
        OmegaConf.resolve(composed)  # the runs' options refer to the section
        section = composed.pop("throughput")
    return to_typed(section, ThroughputConfig), to_config(composed)


def run_throughput_app(task: Callable[[ThroughputConfig, Config], None]) -> int:
    """Run ``task`` on what ``conf/throughput.yaml`` and overrides make; returns the exit code."""
    register_throughput_schema()
    return run_app(lambda composed: task(*split_config(composed)), "throughput")
