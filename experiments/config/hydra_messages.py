"""What is wrong with a command line or a preset, on one line in the user's words.

Hydra and OmegaConf report in many lines, in terms of Python, often without the option. What can be
seen on the command line alone is checked before Hydra starts; what they raise is put in words here.
"""

from __future__ import annotations

import dataclasses
import re
import shlex
import typing
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, QuotedString
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import (
    ConfigKeyError,
    InterpolationKeyError,
    MissingMandatoryValue,
    OmegaConfBaseException,
    UnsupportedInterpolationType,
    ValidationError,
)

from experiments.config.options import INTERNAL, closest, expected, options_of
from experiments.reporting.redaction import redacted_text
from ffn_core.errors import InputError
from ffn_core.limits.ranges import Range, range_of, shown

Schema = Mapping[str, type]
"""Dataclasses of the sections of an app by their name; ``""``: of what is beside them."""

_MULTIRUN = ("-m", "--multirun")
_TAKE_A_VALUE = (
    *("--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn"),
    *("--config-dir", "-cd", "--info", "-i"),
)
_NOT_IN_THE_SCHEMA = ("hydra", "size")
_FROM_THE_PILOT = (
    "; if it is one of conf/tuned/study.yaml, the study's pilot sets it: run that first"
)


def check_overrides(
    arguments: Sequence[str], conf: Path, schema: Schema, groups: Collection[str]
) -> None:
    """Check a command line as far as that is possible without composing a configuration.

    Args:
        arguments: of the command.
        conf: folder of the groups of choices.
        schema: of the app.
        groups: of choices that the app has.

    Raises:
        InputError: names the first argument that cannot work.
    """
    several = any(argument in _MULTIRUN for argument in arguments)
    for before, argument in zip(("", *arguments), arguments, strict=False):
        if not argument.startswith("-") and before not in _TAKE_A_VALUE:
            _check_override(argument, several, conf, schema, groups)


def _check_override(
    argument: str, several: bool, conf: Path, schema: Schema, groups: Collection[str]
) -> None:
    name, assigned, value = argument.partition("=")
    if not name.strip("~+") or not (assigned or argument.startswith("~")):
        raise InputError(f"{argument} is no option with a value: write it as NAME=VALUE")
    try:
        override = OverridesParser.create().parse_override(argument)
    except HydraException:
        raise InputError(
            f"{argument} cannot be read; if its value has one of = ( ) [ ] {{ }} : , or a quote in "
            f"it, put it in quotes of both kinds: {quoted(name, value)}"
        ) from None
    if override.is_sweep_override() and not several:
        hint = "" if override.key_or_group in groups else f", or quote it: {quoted(name, value)}"
        raise InputError(
            f"{argument} has several values: add -m to go through them one after another{hint}"
        )
    key = override.key_or_group
    if key in groups:
        _check_choice(override, argument, conf / key)
    elif override.package is None and key.partition(".")[0] not in _NOT_IN_THE_SCHEMA:
        _require_known(key, schema)


def quoted(name: str, value: str) -> str:
    """What to type in a shell for an option whose value is to be taken as it is."""
    mark = "'" if '"' in value else '"'
    return shlex.quote(f"{name}={mark}{value}{mark}")


def _check_choice(override: Override, argument: str, folder: Path) -> None:
    choices = sorted(path.stem for path in folder.glob("*.yaml"))
    if override.is_delete():
        return
    value = override.value()
    values = value.list if isinstance(value, ChoiceSweep) else [value]
    for one in values:
        text = one.text if isinstance(one, QuotedString) else one
        if isinstance(text, str) and ("${" in text or (folder / f"{text}.yaml").is_file()):
            continue
        if isinstance(text, list | dict):
            hint = "; to go through several, add -m and write them with commas, without brackets"
        else:
            hint = closest(str(text), choices)
        raise InputError(f"{argument} must be one of {', '.join(choices)}{hint}")


def _require_known(key: str, schema: Schema) -> None:
    """Check that an option, a section, or what a dictionary of a user's names lies in, exists."""
    if hint_of(key, schema) is None:
        raise InputError(_unknown(key, schema))


def _unknown(key: str, schema: Schema) -> str:
    known = list(known_names(schema))
    hint, above = closest(key, known), key.rpartition(".")[0]
    section = hint_of(above, schema) if above else None
    if section is not None and dataclasses.is_dataclass(section[0]):
        names = [declared.name for declared in dataclasses.fields(section[0])]
        beside = closest(key, [f"{above}.{name}" for name in names])
        exact = any(name.endswith(f".{key.rpartition('.')[2]}") for name in known)
        hint = beside or (hint if exact else f"; {above} has {', '.join(names)}")
    return f"unknown option {key}{hint or '; --help lists all'}"


def known_names(schema: Schema) -> Iterator[str]:
    """Dotted names of all options of an app that a command line can name."""
    for section, cls in schema.items():
        for option in options_of(cls, f"{section}." if section else ""):
            if "[]" not in option.name and option.name not in INTERNAL:
                yield option.name


def hint_of(key: str, schema: Schema) -> tuple[Any, Range | None] | None:
    """Type and range of an option, element or section by its dotted name; None if there is none."""
    first, *rest = [part for part in re.split(r"[.\[\]]+", key.replace("[]", "[0]")) if part]
    if first in schema:
        found: tuple[Any, Range | None] = (schema[first], None)
    else:
        found, rest = (schema[""], None) if "" in schema else (None, None), [first, *rest]
    for part in rest:
        below = _below(*found, part)
        if below is None:
            return None
        found = below
    return found


def _below(hint: Any, limits: Range | None, part: str) -> tuple[Any, Range | None] | None:
    args = [arg for arg in typing.get_args(hint) if arg is not type(None)]
    if hint is Any:
        return Any, None
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        for declared in dataclasses.fields(hint):
            if declared.name == part:
                return typing.get_type_hints(hint)[part], range_of(declared)
        return None
    if typing.get_origin(hint) in (list, dict):
        return args[-1], limits
    return _below(args[0], limits, part) if args else None


def resolve(composed: DictConfig) -> None:
    """Put the values of other options in the place of ``${...}``.

    Raises:
        InputError: names the option with a reference that leads nowhere.
    """
    try:
        OmegaConf.resolve(composed)
    except OmegaConfBaseException as error:
        for name, node, key in _references(composed):
            try:
                _ = node[key]
            except OmegaConfBaseException as found:
                raw = OmegaConf.to_container(node, resolve=False)
                assert isinstance(raw, dict | list)
                said = _of_reference(found, composed)
                raise InputError(f"{name}={raw[key]} {said}") from None
        raise error


def _references(node: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Dotted name, parent and key of every value that refers to others."""
    if node._is_none() or node._is_missing() or node._is_interpolation():
        return
    keys = list(node) if isinstance(node, DictConfig) else range(len(node))
    for key in keys:
        name = f"{prefix}[{key}]" if isinstance(node, ListConfig) else f"{prefix}.{key}".lstrip(".")
        child = node._get_node(key)
        if OmegaConf.is_interpolation(node, key):
            yield name, node, key
        elif isinstance(child, DictConfig | ListConfig):
            yield from _references(child, name)


def _of_reference(error: OmegaConfBaseException, composed: DictConfig) -> str:
    text = str(error).splitlines()[0]
    if isinstance(error, InterpolationKeyError) and (found := re.search("'(.+)'", text)):
        known = _plain_names(OmegaConf.to_container(composed, resolve=False))
        return f"refers to {found[1]}, which is unknown{closest(found[1], known)}"
    if isinstance(error, UnsupportedInterpolationType):
        return f"refers to {text.rpartition(' ')[2]}:, which is unknown; oc.env: reads a variable"
    if found := re.search("Environment variable '(.+)' not found", text):
        return f"refers to the variable {found[1]}, which is not set"
    if "Recursive" in text:
        return "refers to itself"
    if isinstance(error, ValidationError):
        return "refers to a value of another kind"
    return f"cannot be resolved: {text}"


def _plain_names(values: Any, prefix: str = "") -> list[str]:
    names = []
    for key, value in values.items():
        names += _plain_names(value, f"{prefix}{key}.") if isinstance(value, dict) else []
        names.append(f"{prefix}{key}")
    return names


def apply_pair(composed: DictConfig, schema: Schema, overrides: Sequence[str] = ()) -> None:
    """Set the options that ``sweep.pair`` names.

    Raises:
        InputError: It is not a set of options by name, one is unknown, or one of the ``overrides``
            of the command gives the same option another value.
    """
    pair = OmegaConf.select(composed, "sweep.pair")
    if pair is None:
        return
    if not isinstance(pair, DictConfig):
        raise InputError(
            f"sweep.pair={pair} must be options by name, as "
            "sweep.pair={model.depth:4,model.features:8}"
        )
    given = {one.partition("=")[0].lstrip("+~"): one for one in overrides}
    for key, value in pair.items():
        name = str(key)
        _require_known(name, schema)
        # A choice of a group, `optimizer=adam`, is known by the name that it sets.
        same = next((one for one in (name, name.removesuffix(".name")) if one in given), None)
        if same is not None:
            raise InputError(
                f"{given[same]} has no effect: sweep.pair sets {name} of each point; to choose"
                f" points give sweep.pair itself, as 'sweep.pair={{{name}:VALUE,...}},...'"
            )
        OmegaConf.update(composed, name, value)


def one_line(error: BaseException, schema: Schema | None = None) -> str:
    """What an exception of composing a configuration means, on one line, without secrets."""
    return redacted_text(" ".join(_explained(error, schema or {}).split()))


def _explained(error: BaseException, schema: Schema) -> str:
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__
    merged = re.match(r"(?:Error merging override|Could not override) '?([\w.+]+)", str(error))
    of_override = merged[1].lstrip("+") if merged else ""
    for one in chain:
        if isinstance(one, MissingMandatoryValue):
            name = one.full_key or str(one).rpartition(" ")[2]
            return f"{name} has no value: give {name}=VALUE{_FROM_THE_PILOT}"
        if isinstance(one, ConfigKeyError) and one.full_key:
            return _of_unknown(_whole_name(str(one.full_key), of_override), schema)
        if isinstance(one, ValidationError) and one.full_key:
            name = _whole_name(str(one.full_key), of_override)
            found = hint_of(name, schema)
            value = "null" if one.value is None else shown(one.value)
            if found is not None:
                return f"{name}={value} must be {expected(*found)}"
            return f"{name}={value} is of the wrong kind"
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, HydraException | OmegaConfBaseException):
        return " ".join(line for line in str(error).splitlines() if "full_key" not in line)
    return f"the configuration cannot be composed: {error}"


def _of_unknown(name: str, schema: Schema) -> str:
    if hint_of(name, schema) is not None:
        return f"{name} has no value yet: add it with a plus, +{name}=VALUE"
    return _unknown(name, schema)


def _whole_name(name: str, of_override: str) -> str:
    """The dotted name of an option; of one in a list, OmegaConf says the last part only."""
    section = of_override.rpartition(".")[0]
    inside = name == of_override or name.startswith((f"{of_override}.", f"{of_override}["))
    above = of_override.startswith(f"{name}.")
    if not of_override or inside or above or (section and name.startswith(f"{section}.")):
        return name
    return f"{of_override}[].{name}"
