"""A checkpoint for google/ffn's own inference: TensorFlow 1 variables and a request to go with it.

Its runner builds the graph of ``convstack_3d.ConvStack3DFFNModel`` from ``model_args`` and restores
every variable of it by name: those of `ModelSize.layers` in the scope ``seed_update``, and
``global_step``.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from ffn_core.exchange.description import Description
from ffn_core.inference.settings import FloodSettings
from ffn_core.model import SCOPE, ConvStack, load_published_checkpoint

REQUEST = "inference.pbtxt"
USUAL_FEATURES = 32
"""Of google/ffn; its versions from before there was a choice know no others."""


def prefix_in(folder: Path, description: Description) -> Path:
    """Path of the checkpoint in ``folder``, without extension."""
    return folder / f"model.ckpt-{description.step}"


def write(folder: Path, model: ConvStack, description: Description, final: Path) -> None:
    """Write a checkpoint and an inference request into a new folder.

    Args:
        folder: To write to.
        model: The network.
        description: What the request says of it.
        final: What the folder is called in the end, for the path in the request.
    """
    folder.mkdir()
    names = [f"{SCOPE}{layer}/{kind}" for layer, _ in model.size.layers() for kind in _KINDS]
    named = dict(zip(names, (w.numpy() for w in model.weights), strict=True))
    named["global_step"] = np.array(description.step, np.int32)
    # The format of tf.compat.v1.train.Saver, which would need a graph and a session.
    tf.raw_ops.SaveV2(
        prefix=str(prefix_in(folder, description)),
        tensor_names=list(named),
        shape_and_slices=[""] * len(named),
        tensors=[tf.constant(value) for value in named.values()],
    )
    (folder / REQUEST).write_text(request(description, prefix_in(final, description)))


_KINDS = ("weights", "biases")


def request(description: Description, prefix: Path) -> str:
    """An ``InferenceRequest`` of google/ffn in text, with the settings published for FIB-25.

    google/ffn gives sizes in x, y, z. Image and output folder are left to the user.
    """
    settings = FloodSettings(seed_values=description.seed_values)
    seed, (z, y, x) = settings.seed_values, settings.min_boundary_dist_zyx
    arguments = {
        "depth": description.size.depth,
        "fov_size": description.geometry.fov_zyx[::-1],
        "deltas": description.geometry.deltas_zyx[::-1],
    }
    if description.size.features != USUAL_FEATURES:
        arguments["features"] = description.size.features
    return f"""\
# For run_inference.py of google/ffn. Give the image and a folder for the result:
# image {{ hdf5: "volume.h5:dataset" }}
# segmentation_output_dir: "results"
image_mean: {description.mean!r}
image_stddev: {description.stddev!r}
checkpoint_interval: 1800
seed_policy: "PolicyPeaks"
model_checkpoint_path: {json.dumps(str(prefix))}
model_name: "convstack_3d.ConvStack3DFFNModel"
model_args: {json.dumps(json.dumps(arguments))}
inference_options {{
  init_activation: {seed.init!r}
  pad_value: {seed.pad!r}
  move_threshold: {seed.move!r}
  min_boundary_dist {{ x: {x} y: {y} z: {z} }}
  segment_threshold: {settings.segment!r}
  min_segment_size: {settings.min_segment_size}
}}
"""


def read_back(
    folder: Path, description: Description, image: np.ndarray, seed: np.ndarray
) -> np.ndarray:
    """Logits of what was written, as this project reads such checkpoints.

    Args:
        folder: As written.
        description: As written.
        image: (b, z, y, x, 1) float32, normalized.
        seed: (b, z, y, x, 1) float32 logits.

    Returns:
        (b, z, y, x, 1) float32.
    """
    size, weights = load_published_checkpoint(str(prefix_in(folder, description)))
    model = ConvStack(size, seed=0)
    model.assign(weights)
    return np.asarray(model(tf.constant(image), tf.constant(seed)))
