"""What others make of a network."""

from __future__ import annotations

import numpy as np
import onnx
import torch
from torch import nn

from condmix.deploy.compare.stock import stock_int8, stock_int8_as_it_comes, stock_onnx
from condmix.runtime.onnx_session import OnnxRuntimeBackend


def test_both_files_compute_the_network() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()
    images = np.random.default_rng(0).standard_normal((4, 1, 8, 8)).astype(np.float32)
    stock = stock_onnx(module, (1, 8, 8))
    with torch.no_grad():
        expected = module(torch.from_numpy(images[:1])).numpy()
    rounded = stock_int8(stock, images)
    kinds = {item.data_type for item in onnx.load_from_string(rounded).graph.initializer}
    assert onnx.TensorProto.INT8 in kinds
    for content, tolerance in ((stock, 1e-6), (rounded, 0.05)):
        session = OnnxRuntimeBackend().open(content, threads=1)
        (found,) = session.run({session.signature.inputs[0].name: images[:1]}).values()
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


def test_as_it_comes_a_weight_has_one_scale_and_the_answers_stay_near() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)).eval()
    images = np.random.default_rng(0).standard_normal((6, 1, 8, 8)).astype(np.float32)
    content = stock_int8_as_it_comes(stock_onnx(module, (1, 8, 8)), images)
    graph = onnx.load_from_string(content).graph
    stored = {item.name: onnx.numpy_helper.to_array(item) for item in graph.initializer}
    weights = [node for node in graph.node if node.op_type == "DequantizeLinear" and node.input[0] in stored]
    assert {4, 2} <= {stored[node.input[0]].ndim for node in weights}
    assert all(stored[node.input[1]].size == 1 for node in weights)
    session = OnnxRuntimeBackend().open(content, threads=1)
    (found,) = session.run({session.signature.inputs[0].name: images[:1]}).values()
    exact = module(torch.from_numpy(images[:1])).detach().numpy()
    assert 0 < np.abs(found - exact).max() < 0.1 * np.abs(exact).max()
