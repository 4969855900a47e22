"""Optimizers by name, as Keras implements them, driven by plain TensorFlow variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ffn_core.errors import InputError
from ffn_core.limits.ranges import Range

if TYPE_CHECKING:
    import tensorflow as tf


def _factories() -> dict[str, Any]:
    from keras import optimizers  # seconds to import, and names are checked without it

    return {
        "sgd": optimizers.SGD,
        "momentum": optimizers.SGD,
        "adagrad": optimizers.Adagrad,
        "adam": optimizers.Adam,
        "adamw": optimizers.AdamW,
        "rmsprop": optimizers.RMSprop,
        "lamb": optimizers.Lamb,
    }


NAMES = ("sgd", "momentum", "adagrad", "adam", "adamw", "rmsprop", "lamb")


_SHARE = Range(at_least=0, below=1)
ARGUMENTS = {
    "beta_1": _SHARE,
    "beta_2": _SHARE,
    "momentum": _SHARE,
    "rho": _SHARE,
    "epsilon": Range(at_least=0, at_most=1e6),
    "weight_decay": Range(at_least=0, at_most=1e6),
    "initial_accumulator_value": Range(at_least=0, at_most=1e6),
}
"""Ranges of the arguments of Keras' classes that have a range; Keras does not check most."""


def check_arguments(arguments: Mapping[str, Any]) -> None:
    """Check the numbers among the arguments of an optimizer.

    Raises:
        InputError: names the first that is out of its range.
    """
    for name, value in arguments.items():
        if name in ARGUMENTS:
            ARGUMENTS[name].check(value, f"optimizer.arguments.{name}=")


def make_optimizer(name: str, arguments: Mapping[str, Any], weights: list[tf.Variable]) -> Any:
    """Build an optimizer and its slots for ``weights``.

    The learning rate is not among the arguments: `TrainStep` assigns it before every step, so
    that scaling and warm-up live in one place (`ffn_core.training.learning_rate`).

    Args:
        name: one of `NAMES`.
        arguments: keyword arguments of the Keras class, e.g. ``{"momentum": 0.9}``.
        weights: variables it will update, in the order gradients will come.

    Returns:
        A built ``keras.optimizers.Optimizer``.

    Raises:
        InputError: for an unknown name or an argument that the optimizer does not take.
    """
    if name not in NAMES:
        raise InputError(f"optimizer.name={name!r} is unknown; choose from {', '.join(NAMES)}")
    try:
        optimizer = _factories()[name](learning_rate=0.0, **arguments)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"optimizer.arguments={dict(arguments)} do not fit {name}: {error}"
        ) from None
    optimizer.build(weights)
    return optimizer


def slot_values(optimizer: Any) -> dict[str, Any]:
    """All state of the optimizer as arrays, keyed by position and name."""
    return {key: variable.numpy() for key, variable in _slots(optimizer).items()}


def assign_slots(optimizer: Any, values: Mapping[str, Any]) -> None:
    """Restore what `slot_values` returned.

    Raises:
        InputError: if the state belongs to another optimizer or model.
    """
    slots = _slots(optimizer)
    saved = {key: tuple(value.shape) for key, value in values.items()}
    if saved != {key: tuple(variable.shape) for key, variable in slots.items()}:
        raise InputError(
            f"checkpoint holds optimizer state {sorted(saved)[:3]}..., this run needs "
            f"{sorted(slots)[:3]}... of its model: was optimizer.name or the model changed?"
        )
    for key, variable in slots.items():
        variable.assign(values[key])


def _slots(optimizer: Any) -> dict[str, Any]:
    # The first part of a path counts the optimizers made in this process; it is left out.
    return {
        f"{i:03d}/{variable.path.split('/', 1)[1]}": variable
        for i, variable in enumerate(optimizer.variables)
    }
