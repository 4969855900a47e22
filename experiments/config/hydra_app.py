"""Between Hydra and the rest: the typed schema in its ConfigStore, and the way out of it."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.plugins.sweeper import Sweeper
from hydra.types import RunMode
from omegaconf import MISSING, DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from experiments.config.hydra_messages import (
    Schema,
    apply_pair,
    check_overrides,
    one_line,
    resolve,
)
from experiments.config.options import help_text
from experiments.config.parsing import from_dict
from experiments.config.presets import CONF, MULTIRUN, groups_of, with_lists_kept
from experiments.config.schema import BudgetConfig, Config, DataConfig, ModelConfig
from ffn_core.command import version
from ffn_core.errors import InputError, file_error, in_one_line
from ffn_core.exit_codes import EXIT_INPUT, EXIT_INTERRUPTED

T = TypeVar("T")

RUN: Schema = {"": Config}
"""Schema of the app that trains."""


def register_schema() -> None:
    """Store the schema that ``conf/config.yaml`` starts from, so that Hydra checks types too."""
    template = Config(
        data=DataConfig(name=MISSING),
        model=ModelConfig(
            name=MISSING, fov_zyx=MISSING, deltas_zyx=MISSING, depth=MISSING, features=MISSING
        ),
        budget=BudgetConfig(steps=1),
    )
    node = _open_schema(template)
    node.budget.steps = None
    with open_dict(node):
        node.size = {}
        del node["stage"]  # is not the user's
    ConfigStore.instance().store(name="schema", node=node)


def store_schema(name: str, template: Any) -> None:
    """Store a dataclass instance as the schema ``name``."""
    ConfigStore.instance().store(name=name, node=_open_schema(template))


def _open_schema(template: Any) -> DictConfig:
    node = OmegaConf.structured(template)
    # The dataclasses are frozen for the code that uses them; overrides must still get in here.
    _unfreeze(node)
    return node


def _unfreeze(node: Any) -> None:
    if OmegaConf.is_config(node):
        OmegaConf.set_readonly(node, None)
        if node._is_missing() or node._is_none():
            return
        for key in node if isinstance(node, DictConfig) else range(len(node)):
            _unfreeze(node._get_node(key))


def to_config(composed: DictConfig) -> Config:
    """The typed config of what Hydra composed; nothing of Hydra goes further than here."""
    with open_dict(composed):  # a pair may name options that have no default
        apply_pair(composed, RUN, _overrides())
        _unfreeze(composed)  # elements of lists came as frozen as their dataclass
        _follow_nodes(composed)
        resolve(composed)
        composed.pop("size", None)  # has done its work through interpolations
    return to_typed(composed, Config)


def _overrides() -> Sequence[str]:
    """Of the point that Hydra is running; none where a config is only composed."""
    return list(HydraConfig.get().overrides.task) if HydraConfig.initialized() else []


def _follow_nodes(composed: DictConfig) -> None:
    """Give each stage the ranks that an expression in ``cluster.ranks`` makes of its own nodes.

    A site file that says ``cluster.ranks: ${cluster.nodes}`` means the nodes of every stage.
    """
    cluster = composed.cluster
    if not OmegaConf.is_interpolation(cluster, "ranks"):
        return
    nodes = cluster._get_node("nodes")._value()
    for stage in composed.stages:
        if stage.ranks is None:
            cluster.nodes = stage.nodes
            stage.ranks = cluster.ranks
    cluster.nodes = nodes


def to_typed(composed: DictConfig, cls: type[T], path: str = "") -> T:
    """`to_config` for the configuration ``cls`` of another app, or of a section at ``path``."""
    values = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    assert isinstance(values, dict)
    return from_dict(cls, {str(k): v for k, v in values.items()}, path)


def in_multirun() -> bool:
    """Whether the job under way is a point of a ``--multirun``."""
    return HydraConfig.get().mode == RunMode.MULTIRUN


def run_app(
    task: Callable[[DictConfig], None],
    config_name: str = "config",
    then: Callable[[], None] | None = None,
    schema: Schema = RUN,
    docstring: str | None = None,
    collects: bool = False,
) -> int:
    """Run a Hydra app over ``conf/<config_name>.yaml``; returns the process's exit code.

    ``task`` is called for each point, ``then`` once after the last. ``schema`` is that of the app,
    ``docstring`` that of its module, with which its help opens. ``collects`` says that ``task``
    does nothing but keep the points.

    Errors of composition, which Hydra reports in many lines and with exit code 1, become one line
    and exit code 2 like every other bad input. Bad input of one point does not end a sweep.
    """
    register_schema()
    # Hydra reads -m before overrides only.
    given = with_lists_kept(sys.argv[1:])
    sys.argv[1:] = sorted(given, key=lambda word: word not in MULTIRUN)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # let exceptions through to this function
    bad_input: list[Exception] = []
    composing = True
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: stop ranks in order

    def guarded(composed: DictConfig) -> None:
        nonlocal composing
        composing = False
        if in_multirun():
            # Hydra's copy of the command line, secrets and all; every point keeps its own config.
            (Path(HydraConfig.get().sweep.dir) / "multirun.yaml").unlink(missing_ok=True)
        try:
            task(composed)
        except (InputError, OmegaConfBaseException) as error:
            bad_input.append(error)
        except OSError as error:
            bad_input.append(InputError(in_one_line(error)))
        composing = True

    if collects:
        # Hydra would compose each point of a sweep twice, first to see that none is wrong. It has
        # no option against that. It takes another sweeper (`hydra.sweeper._target_`) from a
        # top-level package `hydra_plugins` alone, where all Hydra programs would find ours.
        Sweeper.validate_batch_is_legal = lambda *_: None  # type: ignore[method-assign]
    app = hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(guarded)
    try:
        if _answered(given, docstring, schema, groups_of(config_name, schema)):
            return 0
        gc.freeze()  # composing leaves much garbage, among which no module is
        app()
        composing = False
        if then is not None:
            then()
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Exception as error:
        problem = _bad_input(error, composing)
        if problem is None:
            raise
        bad_input.append(problem)
    for line in dict.fromkeys(one_line(problem, schema) for problem in bad_input):
        print(f"error: {line}", file=sys.stderr)  # once, of however many points
    return EXIT_INPUT if bad_input else 0


def _answered(
    given: list[str], docstring: str | None, schema: Schema, groups: Mapping[str, str]
) -> bool:
    """Whether the command line asked for no more than help or version, which are then printed.

    Raises:
        InputError: an override names no option.
    """
    if "--version" in given:
        print(version())
    elif {"-h", "--help"} & set(given):
        print(help_text(docstring, schema, CONF, groups))
    else:
        if not {"-sc", "--shell-completion"} & set(given):
            check_overrides(given, CONF, schema, groups)
        return False
    return True


def _bad_input(error: Exception, composing: bool) -> Exception | None:
    """An error as one of bad input; None for a fault of ours.

    Args:
        error: of composing points or working on them.
        composing: whether Hydra was composing one.
    """
    if isinstance(error, HydraException | OmegaConfBaseException | InputError):
        return error
    if isinstance(error, OSError):
        # Hydra makes runs_dir and a file in it, without a name in its error: see conf/config.yaml.
        if error.filename is None:
            error = file_error("write", "a file in runs_dir", error)
        elif composing:
            error = file_error("make", f"{error.filename} (runs_dir)", error)
        return InputError(in_one_line(error))
    # While composing, these are Hydra's words for bad input.
    known = isinstance(error, AttributeError | LookupError | TypeError | ValueError)
    return error if composing and known else None


def register_section(name: str, cls: type[T]) -> None:
    """Store the schema ``NAME_schema`` that ``conf/NAME.yaml`` starts from."""
    section = OmegaConf.structured(cls())
    OmegaConf.set_readonly(section, None)  # frozen for the code that uses it, not for overrides
    ConfigStore.instance().store(name=f"{name}_schema", node={name: section})


def without_overrides(config_name: str) -> dict[str, Any]:
    """Values of ``conf/<config_name>.yaml``, whose schema is stored, with references as written."""
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        values = OmegaConf.to_container(hydra.compose(config_name), resolve=False)
    assert isinstance(values, dict)
    return {str(name): value for name, value in values.items()}


def split_section(composed: DictConfig, name: str, cls: type[T]) -> tuple[T, Config]:
    """The section ``name``, and the config of a run, both typed."""
    with open_dict(composed):
        resolve(composed)  # the run's options may refer to the section
        section = composed.pop(name)
    return to_typed(section, cls, f"{name}."), to_config(composed)


def run_section_app(
    name: str, cls: type[T], task: Callable[[T, Config], None], docstring: str | None = None
) -> int:
    """Run ``task`` on what ``conf/NAME.yaml`` and overrides make; returns the exit code."""
    register_section(name, cls)
    schema = {**RUN, name: cls}

    def on_composed(composed: DictConfig) -> None:
        task(*split_section(composed, name, cls))

    return run_app(on_composed, name, schema=schema, docstring=docstring)


def run_typed_app(
    name: str,
    cls: type[T],
    task: Callable[[T], object],
    required: Sequence[str] = (),
    docstring: str | None = None,
) -> int:
    """Run ``task`` on the ``cls`` that ``conf/NAME.yaml`` and overrides make; returns exit code.

    Args:
        name: of the file in ``conf``, which starts from the schema ``NAME_schema``.
        cls: dataclass of the whole configuration.
        task: what is to be done with it.
        required: fields that must be given.
        docstring: of the command, with which its help opens.
    """
    store_schema(f"{name}_schema", cls(**dict.fromkeys(required, MISSING)))

    def on_composed(composed: DictConfig) -> None:
        resolve(composed)
        task(to_typed(composed, cls))

    return run_app(on_composed, name, schema={"": cls}, docstring=docstring)
