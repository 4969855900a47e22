"""Each format is read by the program it is for, and gives the network's own logits."""

import json

import numpy as np
import pytest
import tensorflow as tf

from ffn_core.exchange import google_ffn, onnx_graph, saved_model
from ffn_core.exchange.description import Description
from ffn_core.geometry import FovGeometry
from ffn_core.model import ConvStack
from ffn_core.model_size import ModelSize
from ffn_core.seed import SeedValues

# No two axes alike, so that one taken for another is seen.
GEOMETRY = FovGeometry((5, 7, 9), (1, 2, 3))
DESCRIBED = Description(
    ModelSize(depth=2, features=3), GEOMETRY, 100.0, 20.0, 17, "run x", SeedValues(0.97, 0.1, 0.8)
)


@pytest.fixture(scope="module")
def model() -> ConvStack:
    made = ConvStack(DESCRIBED.size, seed=0)
    rng = np.random.default_rng(1)
    made.assign([rng.normal(0, 0.3, w.shape).astype(np.float32) for w in made.weights])
    return made


@pytest.fixture(scope="module")
def fovs() -> tuple[np.ndarray, np.ndarray]:
    image, seed = np.random.default_rng(2).normal(size=(2, 2, 5, 7, 9, 1)).astype(np.float32)
    return image, seed


@pytest.fixture(scope="module")
def logits(model, fovs) -> np.ndarray:
    return model(*map(tf.constant, fovs)).numpy()


def test_a_checkpoint_has_all_that_the_graph_of_google_ffn_restores(tmp_path, model, fovs, logits):
    google_ffn.write(tmp_path / "g", model, DESCRIBED, tmp_path / "g")
    found = google_ffn.read_back(tmp_path / "g", DESCRIBED, *fovs)
    np.testing.assert_array_equal(found, logits)
    reader = tf.train.load_checkpoint(str(tmp_path / "g" / "model.ckpt-17"))
    # Names, shapes and types of convstack_3d with depth=2, features=3, from its slim layers.
    layers = {"conv0_a": (2, 3), "conv0_b": (3, 3), "conv1_a": (3, 3), "conv1_b": (3, 3)}
    expected = {f"seed_update/{name}/weights": [3, 3, 3, *io] for name, io in layers.items()}
    expected |= {f"seed_update/{name}/biases": [3] for name in layers}
    expected |= {"seed_update/conv_lom/weights": [1, 1, 1, 3, 1]}
    expected |= {"seed_update/conv_lom/biases": [1], "global_step": []}
    assert reader.get_variable_to_shape_map() == expected
    types = reader.get_variable_to_dtype_map()
    assert types.pop("global_step") == tf.int32
    assert set(types.values()) == {tf.float32}
    assert reader.get_tensor("global_step") == 17


def test_tensorflow_1_restores_the_checkpoint(tmp_path, model):
    """As google/ffn's runner does: a Saver over the variables of a graph."""
    google_ffn.write(tmp_path / "g", model, DESCRIBED, tmp_path / "g")
    v1, expected = tf.compat.v1, model.kernels[3].numpy()
    with tf.Graph().as_default(), v1.Session() as session:
        with v1.variable_scope("seed_update/conv1_b"):
            kernel = v1.get_variable("weights", (3, 3, 3, 3, 3), use_resource=False)
        step = v1.get_variable("global_step", (), tf.int32, use_resource=False)
        v1.train.Saver().restore(session, str(tmp_path / "g" / "model.ckpt-17"))
        np.testing.assert_array_equal(session.run(kernel), expected)
        assert session.run(step) == 17


def test_the_request_gives_sizes_in_x_y_z_and_the_values_of_the_training(tmp_path):
    lines = dict(
        line.strip().split(": ", 1)
        for line in google_ffn.request(DESCRIBED, tmp_path / "model.ckpt-17").splitlines()
        if ": " in line and not line.startswith("#")
    )
    assert json.loads(json.loads(lines["model_args"])) == {
        "depth": 2,
        "fov_size": [9, 7, 5],
        "deltas": [3, 2, 1],
        "features": 3,
    }
    assert json.loads(lines["model_checkpoint_path"]) == f"{tmp_path}/model.ckpt-17"
    found = {name: float(lines[name]) for name in ("image_mean", "image_stddev")}
    assert found == {"image_mean": 100.0, "image_stddev": 20.0}
    found = [float(lines[n]) for n in ("init_activation", "pad_value", "move_threshold")]
    assert found == [0.97, 0.1, 0.8]


def test_versions_of_google_ffn_without_a_choice_of_features_take_the_usual_ones(tmp_path):
    usual = Description(ModelSize(9, 32), GEOMETRY, 0.0, 1.0)
    assert "features" not in google_ffn.request(usual, tmp_path)


def test_a_saved_model_has_a_step_and_its_normalization(tmp_path, model, fovs, logits):
    saved_model.write(tmp_path / "s", model, DESCRIBED)
    np.testing.assert_array_equal(saved_model.read_back(tmp_path / "s", *fovs), logits)
    loaded = tf.saved_model.load(str(tmp_path / "s"))
    step = loaded.signatures["serving_default"]
    shapes = {spec.name: spec.shape.as_list() for spec in step.inputs if spec.name != ""}
    assert [None, 5, 7, 9, 1] in shapes.values()
    assert step.structured_outputs["logits"].dtype == tf.float32
    intensities = np.full((1, 5, 7, 9, 1), 130, np.float32)
    image = loaded.signatures["normalize"](intensities=tf.constant(intensities))["image"]
    np.testing.assert_array_equal(image, np.full_like(intensities, 1.5))  # (130 - 100) / 20
    said = json.loads((tmp_path / "s" / saved_model.DESCRIPTION).read_text())
    assert said == DESCRIBED.values()
    assert (said["mean"], said["stddev"], said["fov_zyx"]) == (100.0, 20.0, [5, 7, 9])


def test_onnxruntime_computes_the_same_logits(tmp_path, model, fovs, logits):
    onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    onnx_graph.write(tmp_path / "n.onnx", [w.numpy() for w in model.weights], DESCRIBED)
    found = onnx_graph.read_back(tmp_path / "n.onnx", *fovs)
    np.testing.assert_allclose(found, logits, atol=1e-5)
    assert np.abs(logits - fovs[1]).max() > 0.1
    onnx.checker.check_model(str(tmp_path / "n.onnx"), full_check=True)
    session = runtime.InferenceSession(str(tmp_path / "n.onnx"))
    assert {i.name: i.shape for i in session.get_inputs()} == {
        name: ["batch", 5, 7, 9, 1] for name in ("image", "seed")
    }
    metadata = session.get_modelmeta().custom_metadata_map
    assert (metadata["mean"], metadata["stddev"]) == ("100.0", "20.0")
