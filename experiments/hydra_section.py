"""Hydra for apps that take a training config with one more section: typed, validated."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf, open_dict

from experiments.hydra_compose import run_app, to_config, to_typed
from experiments.schema import Config

T = TypeVar("T")


def register_section(name: str, cls: type[T]) -> None:
    """Store the schema ``NAME_schema`` that ``conf/NAME.yaml`` starts from."""
    section = OmegaConf.structured(cls())
    OmegaConf.set_readonly(section, None)  # frozen for the code that uses it, not for overrides
    ConfigStore.instance().store(name=f"{name}_schema", node={name: section})


def split_section(composed: DictConfig, name: str, cls: type[T]) -> tuple[T, Config]:
    """The section ``name``, and the config of a run, both typed."""
    with open_dict(composed):
        OmegaConf.resolve(composed)  # the run's options may refer to the section
        section = composed.pop(name)
    return to_typed(section, cls), to_config(composed)


def run_section_app(name: str, cls: type[T], task: Callable[[T, Config], None]) -> int:
    """Run ``task`` on what ``conf/NAME.yaml`` and overrides make; returns the exit code."""
    register_section(name, cls)
    return run_app(lambda composed: task(*split_section(composed, name, cls)), name)
