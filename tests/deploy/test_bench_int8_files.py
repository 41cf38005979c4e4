"""Int8 files of the benchmark: ours, and those of the tool that they are compared with."""

from __future__ import annotations

import onnx

from condmix.deploy.bench.int8_files import INT8, INT8_EXPERTS, INT8_X86, int8_bytes, quantize_static_bytes
from condmix.deploy.bench.subjects import settled_network, stock_bytes

SIZE = 32


def test_our_files_and_the_peers_hold_int8_weights() -> None:
    module = settled_network("condconv_mobilenet_v2", {"width": 0.25, "experts": 2, "num_classes": 4}, SIZE)
    ours = int8_bytes(module, SIZE, conditional=True)
    assert set(ours) == {INT8, INT8_X86, INT8_EXPERTS}
    stock = stock_bytes(module, SIZE)
    peer = quantize_static_bytes(stock, SIZE)
    for content in (*ours.values(), peer):
        kinds = {item.data_type for item in onnx.load_from_string(content).graph.initializer}
        assert onnx.TensorProto.INT8 in kinds
    assert len(ours[INT8]) < 0.5 * len(stock)
    assert set(int8_bytes(module, SIZE, conditional=False)) == {INT8}
