"""Files of other people's writing become networks for one image, proven against the files themselves."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from condmix.exporters.build import Build, build_from
from condmix.exporters.capture import capture
from condmix.exporters.errors import OnnxInputError
from condmix.exporters.onnx_input.element_types import with_floats
from condmix.exporters.onnx_input.read import OnnxSource
from condmix.exporters.options import ExportOptions
from condmix.exporters.verify.records import Verification
from condmix.runtime.tolerance import Tolerance
from tests.exporters.onnx_input.reading import problems, read, silent
from tests.exporters.onnx_input.sketches import (
    Sketch,
    batched_groups,
    paddle_style,
    sample_loop,
    saved,
    tensorflow_style,
)
from tests.exporters.proven import onnx_proof, tflite_proof
from tests.foreign.sigmoid_attention import SIGMOID_ATTENTION

FLOAT32 = Tolerance.for_precision("float32")


def exported(source: OnnxSource, batch: int | None = 1) -> tuple[Build, Verification]:
    built = build_from(source.captured, ExportOptions(batch=batch), {}, silent)
    proof = onnx_proof(built, source, batch)
    return built, proof


def kinds(built: Build) -> Counter[str]:
    return Counter(layer.kind.value for layer in built.layers if layer.recognised)


def operators(built: Build) -> Counter[str]:
    return Counter(node.op_type for node in built.final.proto.graph.node)


@pytest.mark.parametrize("batch", [1, 3, None])
@pytest.mark.parametrize("routing", ["Sigmoid", "Softmax"])
def test_a_file_in_the_style_of_tensorflow(tmp_path: Path, routing: str, batch: int | None) -> None:
    source = read(tensorflow_style(routing=routing), tmp_path)
    assert source.input_size == (3, 17, 15)
    built, proof = exported(source, batch)
    assert proof.passed
    assert proof.yardstick == "the original file"
    assert kinds(built) == {"CondConv": 1}
    assert [layer.path for layer in built.layers] == ["net/block/cond"]
    graph = built.final.proto.graph
    assert [value.name for value in (*graph.input, *graph.output)] == ["image:0", "Identity:0"]
    # BatchNorm went into both convolutions, and no axis of an image is moved any more.
    assert operators(built)["BatchNormalization"] == 0
    turned = [node for node in graph.node if node.op_type == "Transpose" and node.input[0] == "image:0"]
    assert not turned
    assert any("channels, height, width" in note for note in source.notes)
    assert any("auto_pad of 2 operators" in note for note in source.notes)


@pytest.mark.parametrize("batch", [1, None])
def test_a_file_in_the_style_of_paddle(tmp_path: Path, batch: int | None) -> None:
    source = read(paddle_style(), tmp_path)
    built, proof = exported(source, batch)
    assert proof.passed
    assert kinds(built) == {"MixConv": 1}
    assert not {"BatchNormalization", "Identity", "Dropout"} & set(operators(built))
    assert built.final.proto.graph.output[0].name == "save_infer_model/scale_0.tmp_0"


@pytest.mark.parametrize("model", [batched_groups(3), batched_groups(2, opset=22), sample_loop(3)])
@pytest.mark.parametrize("batch", [1, None])
def test_a_baked_batch_is_taken_out(tmp_path: Path, model: onnx.ModelProto, batch: int | None) -> None:
    source = read(model, tmp_path)
    images = model.graph.input[0].type.tensor_type.shape.dim[0].dim_value
    assert source.oracle.images == images
    built, proof = exported(source, batch)
    assert proof.passed
    assert kinds(built) == {"CondConv": 1}
    assert operators(built)["BatchNormalization"] == 0
    assert any(f"for {images} images at a time" in note for note in source.notes)
    single = batched_groups(1) if "many" in {node.name for node in model.graph.node} else sample_loop(1)
    alone, _ = exported(read(single, tmp_path), batch)
    assert operators(built) == operators(alone)


def test_a_baked_batch_that_is_not_declared_is_found(tmp_path: Path) -> None:
    model = batched_groups(3)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
    source = read(model, tmp_path)
    assert source.oracle.images == 3
    assert exported(source)[1].passed


def test_images_that_are_mixed_are_seen_by_the_proof(tmp_path: Path) -> None:
    """The file gives image 1 the kernel of image 0: the network of one image is not what the file computes."""
    model = sample_loop(2)
    next(node for node in model.graph.node if node.name == "row_1").input[1] = "at_0"
    with pytest.raises(OnnxInputError, match=r"it mixes images \[ONNX_BATCH\]"):
        read(model, tmp_path)
    # The same where no rule can see it: a row of the bank that only the second image has.
    other = batched_groups(2)
    other.graph.initializer.append(numpy_helper.from_array(np.float32([[1, 1, 1], [2, 1, 1]]), "uneven"))
    for node in other.graph.node:
        if node.name == "mixed":
            node.input[0] = "weighed"
    index = [node.name for node in other.graph.node].index("mixed")
    other.graph.node.insert(index, helper.make_node("Mul", ["routing", "uneven"], ["weighed"], name="weighed"))
    with pytest.raises(OnnxInputError, match="'uneven' has different numbers for different images"):
        read(other, tmp_path)


def test_tflite_comes_from_the_same_graph(tmp_path: Path) -> None:
    source = read(batched_groups(2), tmp_path)
    proof = tflite_proof(source)
    assert proof.passed
    assert proof.yardstick == "the original file"


@pytest.mark.parametrize("opset", [9, 11, 13, 18, 19, 21, 24])
def test_operator_sets_of_ten_years(tmp_path: Path, opset: int) -> None:
    s = Sketch(5)
    s.weights("w", CHANNELS := 6, 3, 3, 3)
    s.node("Conv", ["x", "w"], "conv", pads=[1, 1, 1, 1])
    s.batch_norm("conv", "norm", CHANNELS)
    s.node("Relu", ["norm"], "active")
    s.node("GlobalAveragePool", ["active"], "pool")
    s.node("Flatten", ["pool"], "y")
    model = s.model({"x": [1, 3, 9, 9]}, {"y": [1, 6]}, opset=opset, ir_version=4 if opset < 12 else 8)
    built, proof = exported(read(model, tmp_path))
    assert proof.passed
    assert operators(built)["BatchNormalization"] == 0


def test_newer_operators_become_what_defines_them(tmp_path: Path) -> None:
    s = Sketch(5)
    s.weights("w", 6, 3, 3, 3)
    s.node("Conv", ["x", "w"], "conv")
    s.node("Gelu", ["conv"], "active", approximate="tanh")
    s.node("GlobalAveragePool", ["active"], "y")
    assert exported(read(s.model({"x": [1, 3, 9, 9]}, {"y": [1, 6, 1, 1]}, opset=20), tmp_path))[1].passed


def test_weights_that_are_listed_as_inputs_are_weights(tmp_path: Path) -> None:
    s = Sketch(5)
    s.weights("w", 6, 3, 3, 3)
    s.node("Conv", ["x", "w"], "y")
    model = s.model({"x": [1, 3, 9, 9], "w": [6, 3, 3, 3]}, {"y": [1, 6, 7, 7]}, opset=9, ir_version=3)
    built, proof = exported(read(model, tmp_path))
    assert proof.passed
    assert [value.name for value in built.final.proto.graph.input] == ["x"]


@pytest.mark.parametrize("kind", [TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16])
def test_other_floats_are_computed_in_float32_and_it_is_said(tmp_path: Path, kind: int) -> None:
    model = batched_groups(1)
    if kind == TensorProto.DOUBLE:
        model = with_floats(model, kind)
    else:
        for tensor in model.graph.initializer:
            if tensor.data_type == TensorProto.FLOAT:
                numbers = numpy_helper.to_array(tensor)
                narrow = numbers.astype(helper.tensor_dtype_to_np_dtype(kind))
                tensor.CopyFrom(numpy_helper.from_array(narrow, tensor.name))
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.elem_type = kind
    source = read(model, tmp_path)
    name = {TensorProto.DOUBLE: "float64", TensorProto.FLOAT16: "float16", TensorProto.BFLOAT16: "bfloat16"}[kind]
    assert any(f"the file holds {name} numbers: it is computed" in note for note in source.notes)
    assert exported(source)[1].passed


def test_functions_of_the_file_itself_are_taken_in(tmp_path: Path) -> None:
    source = read(batched_groups(1), tmp_path)
    named = build_from(source.captured, ExportOptions(stage="named"), {}, silent)
    again = read(named.final.proto, tmp_path)
    built, proof = exported(again)
    assert proof.passed
    assert kinds(built) == {"CondConv": 1}


def test_our_own_file_for_any_batch_is_read_again(tmp_path: Path) -> None:
    own = capture(SIGMOID_ATTENTION.build(), SIGMOID_ATTENTION.input_size)
    dynamic = build_from(own, ExportOptions(batch=None), {}, silent)
    again = read(dynamic.final.proto, tmp_path)
    built, proof = exported(again, None)
    assert proof.passed
    found = sorted(layer.path for layer in built.layers if layer.recognised)
    assert found == sorted(SIGMOID_ATTENTION.condconv_layers)


def test_several_outputs_keep_their_names(tmp_path: Path) -> None:
    model = batched_groups(2)
    model.graph.output.append(helper.make_tensor_value_info("routing", TensorProto.FLOAT, [2, 3]))
    built, proof = exported(read(model, tmp_path), None)
    assert proof.passed
    assert [value.name for value in built.final.proto.graph.output] == ["scores", "routing"]


def test_weights_that_are_not_finite_are_named(tmp_path: Path) -> None:
    s = Sketch(5)
    s.store("w", np.full((6, 3, 3, 3), np.nan, dtype=np.float32))
    s.node("Conv", ["x", "w"], "y")
    found = problems(s.model({"x": [1, 3, 9, 9]}, {"y": [1, 6, 7, 7]}), tmp_path)
    assert found["ONNX_NOT_FINITE"].startswith("1 weights hold NaN or infinity ('w')")


def test_it_works_where_torch_is_not_installed(tmp_path: Path) -> None:
    path = saved(batched_groups(2), tmp_path)
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from pathlib import Path\n"
        "from condmix.exporters.build import build_from\n"
        "from condmix.exporters.onnx_input.read import read_onnx\n"
        "from condmix.exporters.options import ExportOptions\n"
        "from condmix.exporters.verify.verify import verify\n"
        "from condmix.runtime.tolerance import Tolerance\n"
        "quiet = lambda stage: None\n"
        f"source = read_onnx(Path({str(path)!r}), None, quiet)\n"
        "built = build_from(source.captured, ExportOptions(), {}, quiet)\n"
        "print(verify(built, source.oracle, source.input_size, batch=1, images=None, report_progress=quiet,\n"
        "             tolerance=Tolerance.for_precision('float32')).passed)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert (done.stdout, done.returncode) == ("True\n", 0), done.stderr
