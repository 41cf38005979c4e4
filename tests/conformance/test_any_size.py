"""One ONNX file for any height and width: networks with SAME padding, decoders, gates; at odd and non-square sizes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import onnx
import pytest
import torch
from torch import nn

from condmix.deploy.int8.candidate import as_run
from condmix.exporters.build import Build, build_from, prepare
from condmix.exporters.capture import capture
from condmix.exporters.captured import Captured
from condmix.exporters.errors import NotExportableError
from condmix.exporters.options import ExportOptions
from condmix.exporters.quantize.calibrate import calibrate
from condmix.exporters.quantize.onnx.any_size import OtherSizes
from condmix.exporters.quantize.onnx.build import build_int8
from condmix.exporters.quantize.onnx.options import OnnxInt8Options
from condmix.exporters.sizes.build import free_size, twin_options
from condmix.exporters.sizes.choice import FreeSize, choose_sizes
from condmix.exporters.verify.images import candidate_images
from condmix.exporters.verify.sizes import check_sizes
from condmix.exporters.verify.torch_oracle import TorchOracle
from condmix.runtime.onnx_session import OnnxRuntimeBackend, Optimization
from condmix.runtime.tolerance import Tolerance
from tests.conformance.any_size_networks import BASE, Anchored, Flattened, SameMix, Segmenter
from tests.exporters.quantize.onnx.rounding import quality_db

FLOAT32 = Tolerance.for_precision("float32")


@cache
def captured(make: Callable[[], nn.Module]) -> tuple[nn.Module, FreeSize, tuple[Captured, ...]]:
    """The network, the sizes chosen for it, and its graph at each that is captured."""
    torch.manual_seed(5)
    network = make().eval()

    def problem(sides: tuple[int, int]) -> str | None:
        try:
            with torch.no_grad():
                network(torch.zeros(1, 3, *sides))
        except RuntimeError as error:
            return str(error).splitlines()[0]
        return None

    sizes = choose_sizes(BASE, problem)
    return network, sizes, tuple(capture(network, (3, *sides)) for sides in sizes.captured)


def freed(make: Callable[[], nn.Module], options: ExportOptions) -> tuple[Build, nn.Module, FreeSize]:
    """The build for any height and width."""
    network, sizes, captures = captured(make)
    first = build_from(captures[0], options, {}, lambda _stage: None)
    same_forms = twin_options(options, first.layers)
    twins = [build_from(one, same_forms, {}, lambda _stage: None) for one in captures[1:]]
    return free_size([first, *twins], sizes.captured, {}), network, sizes


@pytest.mark.parametrize(
    ("make", "kinds", "batch"),
    [(Segmenter, {"CondConv": 2}, 1), (Segmenter, {"CondConv": 2}, None), (SameMix, {"MixConv": 1}, 2)],
)
def test_any_height_and_width_is_what_pytorch_computes(
    make: Callable[[], nn.Module], kinds: dict[str, int], batch: int | None
) -> None:
    options = ExportOptions(batch=batch, dynamic_size=True)
    build, network, sizes = freed(make, options)
    assert sizes.step == 1
    assert {sides[0] % 2 for sides in sizes.held_out} == {sides[1] % 2 for sides in sizes.held_out} == {0, 1}
    found = [layer.kind.value for layer in build.layers if layer.recognised]
    assert {kind: found.count(kind) for kind in set(found)} == kinds
    report = check_sizes(
        build.final.proto,
        TorchOracle(module=network),
        3,
        sizes,
        batch=batch,
        tolerance=FLOAT32,
        report_progress=lambda _stage: None,
    )
    assert report.passed, report.sentence()
    (image,) = build.final.proto.graph.input
    assert [dim.dim_param for dim in image.type.tensor_type.shape.dim][2:] == ["height", "width"]


def test_a_strided_same_layer_pads_itself() -> None:
    """No Pad and no computed numbers where runtimes have SAME; a dilated one has them computed."""
    build, _, _ = freed(Segmenter, ExportOptions(dynamic_size=True))
    nodes = {node.output[0]: node for node in build.final.proto.graph.node}
    padded = [node for node in nodes.values() if any(item.s == b"SAME_UPPER" for item in node.attribute)]
    assert [node.op_type for node in padded] == ["Conv", "Conv"]
    assert sum(node.op_type == "Pad" for node in nodes.values()) == 1
    onnx.checker.check_model(build.final.proto, full_check=True)


def test_a_linear_layer_on_a_map_is_refused() -> None:
    with pytest.raises(NotExportableError, match=r"runs at no other height and width than 24x24(.|\n)*mat1 and mat2"):
        captured(Flattened)


def test_numbers_of_one_size_are_refused_by_name() -> None:
    with pytest.raises(NotExportableError, match=r"height and width cannot be left open(.|\n)*depends on the size"):
        freed(Anchored, ExportOptions(dynamic_size=True))


@pytest.mark.parametrize(
    ("make", "batch", "style", "io_dtype"),
    [
        (SameMix, 1, "qoperator", "uint8"),
        (Segmenter, 1, "qdq", "float32"),
        (Segmenter, None, "qdq", "float32"),
    ],
)
def test_int8_at_any_height_and_width_agrees_with_pytorch(
    make: Callable[[], nn.Module], batch: int | None, style: str, io_dtype: str
) -> None:
    """What the file says without the engine's optimisation is what it computes with it, and close to the network."""
    network, sizes, captures = captured(make)
    rewritten = [prepare(one, ExportOptions(stage="rewritten"), {}, lambda _stage: None) for one in captures]
    images = candidate_images((3, *BASE)).array_nchw
    options = OnnxInt8Options(batch=batch, style=style, io_dtype=io_dtype, dynamic_size=True)
    others = OtherSizes(
        sides=sizes.captured,
        base=rewritten[0].model,
        models=tuple(one.model for one in rewritten[1:]),
        metadata={"dynamic_size": "{}"},
    )
    build = build_int8(rewritten[0], calibrate(rewritten[0], images), options, {}, lambda _stage: None, others=others)
    assert {entry.key: entry.value for entry in build.proto.metadata_props}["dynamic_size"] == "{}"
    content = build.proto.SerializeToString()
    scales = {name: (one.scale, one.zero_point) for name, one in {**build.inputs, **build.outputs}.items()}
    backend = OnnxRuntimeBackend()
    plain = as_run(
        backend.open(content, threads=1, optimization=Optimization.NONE), "nchw", scales, sizes=(batch or 1,)
    )
    fast = as_run(backend.open(content, threads=2), "nchw", scales, sizes=(batch or 3,))
    for sides in sizes.proven[1:]:
        shown = candidate_images((3, *sides)).array_nchw[4:10]
        said, computed = plain(shown), fast(shown)
        for name, rows in TorchOracle(module=network).float64(shown, list(said)).items():
            assert quality_db(rows, said[name].reshape(rows.shape)) > 20, (name, sides)
            assert quality_db(said[name], computed[name]) > 40, (name, sides)
