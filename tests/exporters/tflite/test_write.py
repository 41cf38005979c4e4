"""What is written is what the reference bindings read, aligned, the same for the same model."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as bindings

from condmix.exporters.tflite.emitter import Emitter
from condmix.exporters.tflite.model import Operation, Option, Quantization, Tensor, TfliteModel
from condmix.exporters.tflite.schema import Operator, OptionsUnion, TensorType
from condmix.exporters.tflite.write import ALIGNMENT, SIGNATURE_KEY, write_model
from tests.exporters.condconv_cases import condconv_case
from tests.exporters.mixconv_cases import mixconv_case
from tests.exporters.sketch import Sketch
from tests.exporters.tflite.running import open_file, read_back, written


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def small(**changes: object) -> TfliteModel:
    """y = relu(x + weight), with a name that is no ASCII."""
    emitter = Emitter()
    emitter.path = "größe.块"
    x = Tensor(name="x", shape=(2, 5), type=TensorType.FLOAT32)
    y = emitter.binary(Operator.ADD, x, emitter.constant(numbers(1, 5), "gewicht"), "summe")
    fields: dict[str, object] = {
        "description": "ein Netz für Bilder",
        "operations": tuple(emitter.operations),
        "inputs": (x,),
        "outputs": (y,),
        "signature_inputs": ("bild",),
        "signature_outputs": ("größe",),
        "metadata": {"b": b"second", "a": "ä".encode()},
    }
    return TfliteModel(**{**fields, **changes})  # type: ignore[arg-type]


def test_everything_is_read_back() -> None:
    model = read_back(write_model(small()))
    assert (model.version, model.description) == (3, "ein Netz für Bilder".encode())
    (code,) = model.operatorCodes
    assert (code.builtinCode, code.deprecatedBuiltinCode, code.version, code.customCode) == (0, 0, 1, None)
    (graph,) = model.subgraphs
    assert [tensor.name.decode() for tensor in graph.tensors] == ["x", "größe.块/gewicht", "größe.块/summe"]
    assert [list(tensor.shape) for tensor in graph.tensors] == [[2, 5], [1, 5], [2, 5]]
    assert [tensor.type for tensor in graph.tensors] == [0, 0, 0]
    assert (list(graph.inputs), list(graph.outputs), graph.name) == ([0], [2], b"main")
    (operator,) = graph.operators
    assert (list(operator.inputs), list(operator.outputs), operator.builtinOptionsType) == ([0, 1], [2], 11)
    # The first buffer is empty: it stands for "computed".
    assert model.buffers[0].data is None
    assert [tensor.buffer for tensor in graph.tensors] == [0, 1, 0]
    np.testing.assert_array_equal(np.frombuffer(bytes(model.buffers[1].data), np.float32), numbers(1, 5)[0])


def test_the_signature() -> None:
    (signature,) = read_back(write_model(small())).signatureDefs
    assert (signature.signatureKey.decode(), signature.subgraphIndex) == (SIGNATURE_KEY, 0)
    assert [(entry.name.decode(), entry.tensorIndex) for entry in signature.inputs] == [("bild", 0)]
    assert [(entry.name.decode(), entry.tensorIndex) for entry in signature.outputs] == [("größe", 2)]
    session = open_file(write_model(small()))
    assert [tensor.name for tensor in session.signature.inputs] == ["bild"]
    assert [tensor.name for tensor in session.signature.outputs] == ["größe"]
    feeds = {"bild": numbers(2, 5)}
    np.testing.assert_allclose(session.run(feeds)["größe"], numbers(2, 5) + numbers(1, 5), rtol=1e-6)


def test_metadata_in_the_order_of_its_names() -> None:
    model = read_back(write_model(small()))
    entries = [(entry.name.decode(), bytes(model.buffers[entry.buffer].data)) for entry in model.metadata]
    assert entries == [("a", "ä".encode()), ("b", b"second")]
    assert read_back(write_model(small(metadata={}))).metadata is None


def test_metadata_of_a_graph_is_the_exports_own() -> None:
    sketch = Sketch()
    sketch.node("Neg", [sketch.input("x", (1, 2))], "y")
    model = read_back(written(sketch.model("y"), metadata={"ö": "ü", "a": "1"}))
    (entry,) = model.metadata
    assert entry.name == b"condmix"
    assert json.loads(bytes(model.buffers[entry.buffer].data)) == {"ö": "ü", "a": "1"}


def files() -> list[bytes]:
    """Files with many and odd sizes of buffers, of every element type."""
    cond, mix = condconv_case(images=1, expert_bias=True), mixconv_case(images=1)
    odd = Tensor(name="odd", shape=(3,), type=TensorType.INT8, data=np.asarray([1, 2, 3], dtype=np.int8))
    emitter = Emitter()
    y = emitter.emit(Operator.DEQUANTIZE, [odd], (3,), options_type=OptionsUnion.DEQUANTIZE)
    model = TfliteModel(
        description="",
        operations=tuple(emitter.operations),
        inputs=(),
        outputs=(y,),
        signature_inputs=(),
        signature_outputs=("y",),
        metadata={"odd": b"1234567"},
    )
    banks = [written(cond.sketch().model("y"), bank=bank) for bank in ("float32", "float16", "int8")]
    return [*banks, written(mix.sketch().model("y")), write_model(model), write_model(small())]


def test_every_buffer_begins_at_a_multiple_of_sixteen() -> None:
    # flatbuffers' own helper for numpy vectors does not see to that, although the schema asks for it.
    seen = 0
    for content in files():
        model = bindings.Model.GetRootAs(content, 0)
        for index in range(model.BuffersLength()):
            buffer = model.Buffers(index)
            offset = buffer._tab.Offset(4)
            if offset:
                assert buffer._tab.Vector(offset) % ALIGNMENT == 0
                seen += 1
    assert seen > 40


def test_misaligned_buffers_would_be_seen() -> None:
    model = bindings.Model.GetRootAs(b"\0" + write_model(small()), 1)
    buffer = model.Buffers(1)
    assert buffer._tab.Vector(buffer._tab.Offset(4)) % ALIGNMENT != 0


def test_equal_models_give_equal_bytes() -> None:
    assert files() == files()
    changed = small(metadata={"a": "ä".encode(), "b": b"second"})
    assert write_model(changed) == write_model(small())
    assert write_model(small(description="x")) != write_model(small())


def test_one_scale_and_one_zero_point() -> None:
    emitter = Emitter()
    bank = emitter.constant(np.ones((4, 2), dtype=np.int8), "bank", quantization=Quantization(scale=0.25, zero_point=3))
    y = emitter.emit(Operator.DEQUANTIZE, [bank], (4, 2), options_type=OptionsUnion.DEQUANTIZE)
    model = TfliteModel(
        description="",
        operations=tuple(emitter.operations),
        inputs=(),
        outputs=(y,),
        signature_inputs=(),
        signature_outputs=("y",),
    )
    content = write_model(model)
    (tensor,) = [tensor for tensor in read_back(content).subgraphs[0].tensors if tensor.quantization is not None]
    quantization = tensor.quantization
    assert (list(quantization.scale), list(quantization.zeroPoint)) == ([0.25], [3])
    assert quantization.scale.dtype == np.float32
    assert quantization.zeroPoint.dtype == np.int64
    assert quantization.quantizedDimension == 0
    actual = open_file(content, delegate=False).run({})["y"]
    np.testing.assert_array_equal(actual, np.full((4, 2), 0.25 * (1 - 3)))


def quantized(*quantizations: Quantization) -> TfliteModel:
    """Stored tensors (2, 3), each read by an operator of its own."""
    emitter = Emitter()
    results = []
    for quantization in quantizations:
        stored = emitter.constant(np.ones((2, 3), dtype=np.int8), "stored", quantization=quantization)
        results.append(emitter.emit(Operator.DEQUANTIZE, [stored], (2, 3), options_type=OptionsUnion.DEQUANTIZE))
    return TfliteModel(
        description="",
        operations=tuple(emitter.operations),
        inputs=(),
        outputs=tuple(results),
        signature_inputs=(),
        signature_outputs=tuple(f"y{index}" for index in range(len(results))),
    )


@pytest.mark.parametrize(("scales", "axis"), [((0.5, 0.25), 0), ((0.5, 0.25, 2.0), 1)])
def test_a_scale_for_each_slice(scales: tuple[float, ...], axis: int) -> None:
    content = write_model(quantized(Quantization(scale=scales, axis=axis)))
    (read,) = [tensor.quantization for tensor in read_back(content).subgraphs[0].tensors if tensor.quantization]
    assert (list(read.scale), list(read.zeroPoint), read.quantizedDimension) == ([*scales], [0] * len(scales), axis)
    expected = np.broadcast_to(np.reshape(scales, (2, 1) if axis == 0 else (1, 3)), (2, 3))
    np.testing.assert_array_equal(open_file(content, delegate=False).run({})["y0"], expected)


def test_equal_zero_points_are_written_once() -> None:
    def size(*zero_points: int) -> int:
        scale = tuple(1.0 + index / 64 for index in range(64))
        return len(write_model(quantized(*(Quantization(scale=scale, zero_point=item) for item in zero_points))))

    # Eight bytes for each of 64 slices.
    assert size(0, 1) - size(0, 0) >= 8 * 64
    read = read_back(
        write_model(quantized(Quantization(scale=0.5, zero_point=7), Quantization(scale=1.0, zero_point=7)))
    )
    found = [tensor.quantization for tensor in read.subgraphs[0].tensors if tensor.quantization]
    assert [(list(item.scale), list(item.zeroPoint)) for item in found] == [([0.5], [7]), ([1.0], [7])]


@pytest.mark.parametrize(
    ("operator", "old", "new"), [(Operator.ADD, 0, 0), (Operator.BATCH_MATMUL, 126, 126), (Operator.GELU, 127, 150)]
)
def test_operators_beyond_a_byte_have_their_number_in_the_new_field(operator: Operator, old: int, new: int) -> None:
    x, y = (Tensor(name=name, shape=(1, 2), type=TensorType.FLOAT32) for name in "xy")
    operation = Operation(operator=operator, inputs=(x, x), outputs=(y,), options_type=OptionsUnion.NONE, version=2)
    (code,) = read_back(write_model(small(operations=(operation,), inputs=(x,), outputs=(y,)))).operatorCodes
    assert (code.deprecatedBuiltinCode, code.builtinCode, code.version) == (old, new, 2)


def test_one_operator_in_two_versions_has_two_codes() -> None:
    x, y, z = (Tensor(name=name, shape=(1, 2), type=TensorType.FLOAT32) for name in "xyz")
    pairs = ((x, y, 2), (y, z, 1))
    operations = tuple(
        Operation(operator=Operator.ABS, inputs=(a,), outputs=(b,), options_type=OptionsUnion.ABS, version=version)
        for a, b, version in pairs
    )
    model = read_back(write_model(small(operations=operations, inputs=(x,), outputs=(z,))))
    assert [code.version for code in model.operatorCodes] == [1, 2]
    assert [operator.opcodeIndex for operator in model.subgraphs[0].operators] == [1, 0]


def test_options_are_stored_even_where_they_are_the_schemas_default() -> None:
    x, y = (Tensor(name=name, shape=(1, 2), type=TensorType.FLOAT32) for name in "xy")
    options = (
        Option(slot=0, kind="int8", value=0),
        Option(slot=1, kind="int32", value=0),
        Option(slot=4, kind="int32", value=-7),
    )
    operation = Operation(
        operator=Operator.CONV_2D, inputs=(x, None), outputs=(y,), options_type=OptionsUnion.CONV_2D, options=options
    )
    content = write_model(small(operations=(operation,), inputs=(x,), outputs=(y,)))
    (operator,) = read_back(content).subgraphs[0].operators
    assert list(operator.inputs) == [0, -1]
    assert (operator.builtinOptions.padding, operator.builtinOptions.strideW) == (0, 0)
    # The schema's default of a dilation is 1: a 0 there would be read if it had been left out.
    assert operator.builtinOptions.dilationWFactor == -7
    assert operator.builtinOptions.dilationHFactor == 1


def test_kinds_of_options() -> None:
    x, y = (Tensor(name=name, shape=(1, 2), type=TensorType.FLOAT32) for name in "xy")
    for union, kind, value, name in (
        (OptionsUnion.LEAKY_RELU, "float32", 0.3, "alpha"),
        (OptionsUnion.REDUCER, "bool", True, "keepDims"),
        (OptionsUnion.CONCATENATION, "int32", -2, "axis"),
    ):
        options = (Option(slot=0, kind=kind, value=value),)
        operation = Operation(
            operator=Operator.LEAKY_RELU, inputs=(x,), outputs=(y,), options_type=union, options=options
        )
        content = write_model(small(operations=(operation,), inputs=(x,), outputs=(y,)))
        read = getattr(read_back(content).subgraphs[0].operators[0].builtinOptions, name)
        assert read == pytest.approx(value)


def test_what_is_equal_is_written_once() -> None:
    """Stored numbers, and the zero points and scales of tensors that have the same."""
    row = np.arange(40, dtype=np.int8)[None].repeat(4, axis=0)
    scales = Quantization(scale=(0.5, 1.0, 2.0, 4.0))

    def content(other: np.ndarray, own: Quantization) -> bytes:
        stored = (
            Tensor(name="a", shape=(4, 40), type=TensorType.INT8, data=row, quantization=scales),
            Tensor(name="b", shape=(4, 40), type=TensorType.INT8, data=other, quantization=own),
        )
        emitter = Emitter()
        parts = [
            emitter.emit(Operator.DEQUANTIZE, [item], (4, 40), options_type=OptionsUnion.DEQUANTIZE) for item in stored
        ]
        y = emitter.binary(Operator.ADD, parts[0], parts[1], "sum")
        operations = tuple(emitter.operations)
        return write_model(small(operations=operations, inputs=(), outputs=(y,), signature_inputs=()))

    equal, numbers_differ = content(row.copy(), Quantization(scale=(0.5, 1.0, 2.0, 4.0))), content(row + 1, scales)
    one_scale_more = content(row.copy(), Quantization(scale=(0.5, 1.0, 2.0, 8.0)))
    assert len(numbers_differ) - len(equal) >= row.nbytes
    assert len(one_scale_more) - len(equal) >= 16
    places = {tensor.name: tensor.buffer for tensor in read_back(equal).subgraphs[0].tensors}
    assert places[b"a"] == places[b"b"]
    read = read_back(one_scale_more)
    found = {
        tensor.name: list(tensor.quantization.scale) for tensor in read.subgraphs[0].tensors if tensor.quantization
    }
    assert found == {b"a": [0.5, 1, 2, 4], b"b": [0.5, 1, 2, 8]}


def test_no_path_of_this_machine_is_in_a_file() -> None:
    for content in files():
        assert re.search(rb"/(home|root|work|tmp)/", content) is None
