import numpy as np
import pytest
import tensorflow as tf

from ffn_core.errors import InputError
from ffn_core.training.optimizers import NAMES, assign_slots, make_optimizer, slot_values

START = np.array([1.0, -2.0, 0.5])
GRADIENTS = [np.array([0.3, -0.1, 0.02]), np.array([-0.2, -0.4, 0.05]), np.array([0.1, 0.3, 0.0])]
RATE = 0.1
KERAS_EPSILON = 1e-7


def sgd(w, gradients):
    for g in gradients:
        w = w - RATE * g
    return w


def momentum(w, gradients, mu=0.9):
    """Polyak 1964, the rate inside the velocity."""
    velocity = np.zeros_like(w)
    for g in gradients:
        velocity = mu * velocity - RATE * g
        w = w + velocity
    return w


def nesterov(w, gradients, mu=0.9):
    velocity = np.zeros_like(w)
    for g in gradients:
        velocity = mu * velocity - RATE * g
        w = w + mu * velocity - RATE * g
    return w


def adagrad(w, gradients, initial=0.1):
    """Duchi et al. 2011, its sum of squares started at ``initial``."""
    total = np.full_like(w, initial)
    for g in gradients:
        total = total + g**2
        w = w - RATE * g / np.sqrt(total)
    return w


def rmsprop(w, gradients, rho=0.9):
    mean_square = np.zeros_like(w)
    for g in gradients:
        mean_square = rho * mean_square + (1 - rho) * g**2
        w = w - RATE * g / np.sqrt(mean_square + KERAS_EPSILON)
    return w


def adam_moments(gradients, beta_1=0.9, beta_2=0.999):
    """Kingma and Ba 2015, algorithm 1: moments and their bias corrections at each step."""
    m = v = np.zeros_like(gradients[0])
    for t, g in enumerate(gradients, start=1):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        yield m, v, 1 - beta_1**t, 1 - beta_2**t


def adam(w, gradients, beta_1=0.9, beta_2=0.999, epsilon=KERAS_EPSILON, decay=0.0):
    """In the order of section 2's last lines, as Keras has it: epsilon beside uncorrected v.

    ``decay`` as in AdamW (Loshchilov and Hutter 2019), apart from the gradient.
    """
    for m, v, m_correction, v_correction in adam_moments(gradients, beta_1, beta_2):
        rate = RATE * np.sqrt(v_correction) / m_correction
        w = w - RATE * decay * w - rate * m / (np.sqrt(v) + epsilon)
    return w


def lamb(w, gradients):
    """You et al. 2020 without weight decay: a step is as long as the rate times the weights."""
    for m, v, m_correction, v_correction in adam_moments(gradients):
        update = (m / m_correction) / (np.sqrt(v / v_correction) + KERAS_EPSILON)
        trust_ratio = np.linalg.norm(w) / np.linalg.norm(update)
        w = w - RATE * trust_ratio * update
    return w


TEXTBOOK = [
    ("sgd", {}, sgd),
    ("momentum", {"momentum": 0.9}, momentum),
    ("momentum", {"momentum": 0.9, "nesterov": True}, nesterov),
    ("adagrad", {}, adagrad),
    ("rmsprop", {}, rmsprop),
    ("adam", {}, adam),
    (
        "adam",
        {"beta_1": 0.5, "beta_2": 0.8, "epsilon": 0.01},
        lambda w, gs: adam(w, gs, 0.5, 0.8, 0.01),
    ),
    ("adamw", {}, lambda w, gs: adam(w, gs, decay=0.004)),
    ("adamw", {"weight_decay": 0.02}, lambda w, gs: adam(w, gs, decay=0.02)),
    ("lamb", {}, lamb),
]


def start(name, arguments, values=START):
    weights = [tf.Variable(values.astype(np.float32), name="a"), tf.Variable([[4.0]], name="b")]
    return weights, make_optimizer(name, arguments, weights)


def run(weights, optimizer, gradients):
    optimizer.learning_rate.assign(RATE)
    for g in gradients:
        optimizer.apply([tf.constant(g, tf.float32), tf.constant([[0.5]])], weights)
    return weights[0].numpy()


def test_every_name_is_tried():
    assert {name for name, _, _ in TEXTBOOK} == set(NAMES)


@pytest.mark.parametrize(("name", "arguments", "formula"), TEXTBOOK)
@pytest.mark.parametrize("steps", [1, 3])
def test_steps_like_the_textbook(name, arguments, formula, steps):
    weights, optimizer = start(name, arguments)
    stepped = run(weights, optimizer, GRADIENTS[:steps])
    np.testing.assert_allclose(stepped, formula(START, GRADIENTS[:steps]), atol=1e-5)


def test_lamb_does_not_scale_by_weights_that_are_zero():
    weights, optimizer = start("lamb", {}, np.zeros(3))
    stepped = run(weights, optimizer, GRADIENTS[:1])  # Adam's first step: the rate, signed
    np.testing.assert_allclose(stepped, -RATE * np.sign(GRADIENTS[0]), rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_slots_round_trip(name):
    weights, optimizer = start(name, {})
    run(weights, optimizer, GRADIENTS[:2])
    saved = slot_values(optimizer)
    assert all(isinstance(value, np.ndarray | np.generic) for value in saved.values())
    again, restored = start(name, {}, weights[0].numpy())
    assign_slots(restored, saved)
    assert list(slot_values(restored)) == list(saved)
    np.testing.assert_array_equal(
        run(again, restored, GRADIENTS[2:]), run(weights, optimizer, GRADIENTS[2:])
    )


def test_slots_of_another_optimizer():
    with pytest.raises(InputError, match=r"was optimizer\.name or the model changed"):
        assign_slots(start("adam", {})[1], slot_values(start("adagrad", {})[1]))


def test_slots_of_another_model():
    saved = slot_values(start("adam", {})[1])
    with pytest.raises(InputError, match=r"was optimizer\.name or the model changed"):
        assign_slots(start("adam", {}, np.zeros(4))[1], saved)


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(InputError, match="name='adamax' is unknown; choose from sgd, momentum, ad"):
        make_optimizer("adamax", {}, [])


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("adam", {"momentum": 0.9}),
        ("sgd", {"beta_1": 0.9}),
        ("sgd", {"learning_rate": 0.1}),
        ("momentum", {"momentum": 9}),
    ],
)
def test_arguments_that_do_not_fit(name, arguments):
    with pytest.raises(InputError, match=f"do not fit {name}: ") as caught:
        make_optimizer(name, arguments, [])
    assert str(arguments) in str(caught.value)
    assert "\n" not in str(caught.value)
