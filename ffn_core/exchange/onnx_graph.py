"""A network as an ONNX graph, put together by hand: convolutions, ReLU and additions.

tf2onnx needs another protobuf than TensorFlow 2.18. ONNX has channels second, so the graph begins
and ends with a transposition: inputs and output are as in the other formats.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Final

import numpy as np

from ffn_core.errors import InputError
from ffn_core.exchange.description import INPUTS, OUTPUT, SIGNATURE, Description

OPSET: Final = 17
IR_VERSION: Final = 8
"""Both of 2022: runtimes since then read them."""

_CHANNELS_SECOND: Final = (0, 4, 1, 2, 3)
_CHANNELS_LAST: Final = (0, 2, 3, 4, 1)
_KERNEL_TO_ONNX: Final = (4, 3, 0, 1, 2)
"""Kernels are (z, y, x, in, out) here, (out, in, z, y, x) there."""


def require(module: str) -> Any:
    """Import ``onnx`` or ``onnxruntime``.

    Raises:
        InputError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        raise InputError(f"{module} is not installed: uv sync --extra onnx") from None


class _Graph:
    """Nodes and constants, in the order they are computed in."""

    def __init__(self, onnx: Any) -> None:
        self._onnx = onnx
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add an operation; returns the name of its result."""
        made = self._onnx.helper.make_node(kind, inputs, [output], name=output, **attributes)
        self.nodes.append(made)
        return output

    def constant(self, name: str, value: np.ndarray) -> str:
        """Add a tensor that is stored; returns its name."""
        stored = np.ascontiguousarray(value, np.float32)
        self.constants.append(self._onnx.numpy_helper.from_array(stored, name))
        return name

    def convolution(self, net: str, layer: str, kernel: np.ndarray, bias: np.ndarray) -> str:
        """Add a convolution that keeps the extents; returns the name of its result."""
        weights = self.constant(f"{layer}/weights", kernel.transpose(_KERNEL_TO_ONNX))
        biases = self.constant(f"{layer}/biases", bias)
        edges = [edge // 2 for edge in kernel.shape[:3]]
        return self.node("Conv", [net, weights, biases], layer, pads=[*edges, *edges])


def build(weights: list[np.ndarray], description: Description) -> Any:
    """The ``ModelProto`` of a network, checked.

    Args:
        weights: In the order of `ffn_core.model.ConvStack.weights`.
        description: Of the network; its values become the metadata.

    Raises:
        InputError: ``onnx`` is not installed.
    """
    onnx = require("onnx")
    helper, graph = onnx.helper, _Graph(onnx)
    layers = {
        layer: (kernel, bias)
        for (layer, _), kernel, bias in zip(
            description.size.layers(), weights[::2], weights[1::2], strict=True
        )
    }
    turned = [
        graph.node("Transpose", [name], f"{name}/turned", perm=_CHANNELS_SECOND) for name in INPUTS
    ]
    net = graph.node("Concat", turned, "inputs", axis=1)
    net = graph.convolution(net, "conv0_a", *layers["conv0_a"])
    net = graph.node("Relu", [net], "conv0_a/relu")
    net = graph.convolution(net, "conv0_b", *layers["conv0_b"])
    for module in range(1, description.size.depth):
        first, second = f"conv{module}_a", f"conv{module}_b"
        hidden = graph.node("Relu", [net], f"residual{module}/relu")
        hidden = graph.convolution(hidden, first, *layers[first])
        hidden = graph.node("Relu", [hidden], f"{first}/relu")
        hidden = graph.convolution(hidden, second, *layers[second])
        net = graph.node("Add", [net, hidden], f"residual{module}")
    net = graph.node("Relu", [net], "conv_lom/relu")
    net = graph.convolution(net, "conv_lom", *layers["conv_lom"])
    net = graph.node("Transpose", [net], "update", perm=_CHANNELS_LAST)
    graph.node("Add", ["seed", net], OUTPUT)

    shape = ["batch", *description.geometry.fov_zyx, 1]
    kind = onnx.TensorProto.FLOAT
    inputs, outputs = (
        [
            helper.make_tensor_value_info(name, kind, shape, doc_string=SIGNATURE[name])
            for name in names
        ]
        for names in (INPUTS, (OUTPUT,))
    )
    made = helper.make_graph(graph.nodes, "ffn", inputs, outputs, graph.constants)
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(made, opset_imports=opset, ir_version=IR_VERSION)
    helper.set_model_props(model, {k: str(v) for k, v in description.values().items()})
    onnx.checker.check_model(model, full_check=True)
    return model


def write(path: Path, weights: list[np.ndarray], description: Description) -> None:
    """Write `build` to a file."""
    path.write_bytes(build(weights, description).SerializeToString())


def read_back(path: Path, image: np.ndarray, seed: np.ndarray) -> np.ndarray:
    """Logits of what was written, computed by onnxruntime; shapes as in `SIGNATURE`.

    Raises:
        InputError: ``onnxruntime`` is not installed.
    """
    runtime = require("onnxruntime")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.asarray(session.run([OUTPUT], {"image": image, "seed": seed})[0])
