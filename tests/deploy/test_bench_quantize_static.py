"""onnxruntime's quantize_static with nothing said: one scale a weight, and a file that runs."""

from __future__ import annotations

import numpy as np
import onnx
import torch
from torch import nn

from condmix.deploy.bench.quantize_static import quantize_static_plain
from condmix.deploy.compare.stock import stock_onnx
from condmix.runtime.onnx_session import OnnxRuntimeBackend


def test_a_weight_has_one_scale_and_the_answers_stay_near() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)).eval()
    images = np.random.default_rng(0).standard_normal((6, 1, 8, 8)).astype(np.float32)
    content = quantize_static_plain(stock_onnx(module, (1, 8, 8)), images)
    graph = onnx.load_from_string(content).graph
    stored = {item.name: onnx.numpy_helper.to_array(item) for item in graph.initializer}
    weights = [node for node in graph.node if node.op_type == "DequantizeLinear" and node.input[0] in stored]
    assert {4, 2} <= {stored[node.input[0]].ndim for node in weights}
    assert all(stored[node.input[1]].size == 1 for node in weights)
    assert onnx.TensorProto.INT8 in {item.data_type for item in graph.initializer}
    session = OnnxRuntimeBackend().open(content, threads=1)
    (found,) = session.run({session.signature.inputs[0].name: images[:1]}).values()
    exact = module(torch.from_numpy(images[:1])).detach().numpy()
    assert 0 < np.abs(found - exact).max() < 0.1 * np.abs(exact).max()
