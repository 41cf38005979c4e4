"""The proof of a TFLite file: right files pass however they are run, and faults fail with the module to blame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as bindings
from torch import nn

from condmix.exporters.capture import Captured
from condmix.exporters.tflite.build import TfliteBuild, build_tflite
from condmix.exporters.tflite.options import TfliteOptions
from condmix.exporters.verify import tflite as module_under_test
from condmix.exporters.verify.evidence import Evidence, gather
from condmix.exporters.verify.records import Verification
from condmix.exporters.verify.tflite import EXACT_STAGE, STAGE, in_layout, verify_tflite
from condmix.runtime.litert_session import LiteRtBackend, LiteRtSession
from condmix.runtime.parity_report import Verdict
from condmix.runtime.tolerance import Tolerance
from tests.exporters.networks import INPUT_SIZE
from tests.exporters.verify.faulty_builds import not_a_number, one_element_off, reversed_experts, with_constant

FLOAT32 = Tolerance.for_precision("float32")
Change = Callable[[np.ndarray], np.ndarray]

SHARED = [("captured", "onnxruntime", None, 1), ("named", "onnxruntime", None, 1)]
SHARED += [("rewritten", "onnxruntime", None, threads) for threads in (1, 2)]
FILE = [(STAGE, "litert", delegate, threads) for delegate in (True, False) for threads in (1, 2)]


@pytest.fixture(scope="module")
def build(captured: Captured) -> TfliteBuild:
    return built(captured)


@pytest.fixture(scope="module")
def evidence(build: TfliteBuild, network: nn.Module) -> Evidence:
    return gather(build.shared, network, INPUT_SIZE, batch=1, images=None, report_progress=lambda _stage: None)


def built(captured: Captured, **choices: object) -> TfliteBuild:
    return build_tflite(captured, TfliteOptions(**choices), {}, lambda _stage: None)  # type: ignore[arg-type]


def verified(build: TfliteBuild, evidence: Evidence, *, batch: int = 1, tolerance: Tolerance = FLOAT32) -> Verification:
    return verify_tflite(
        build,
        evidence,
        batch=batch,
        tolerance=tolerance,
        shared_tolerance=FLOAT32,
        report_progress=lambda _stage: None,
    )


def ways(result: Verification) -> list[tuple[str, str, bool | None, int]]:
    return [(item.stage, item.engine, item.delegate, item.threads) for item in result.stages]


def failed(result: Verification) -> list[tuple[str, str, bool | None, int]]:
    return [way for way, item in zip(ways(result), result.stages, strict=True) if not item.report.passed]


def with_stored(content: bytes, tensor_name: str, change: Change) -> bytes:
    """The file with one stored float32 tensor changed in place."""
    model = bindings.Model.GetRootAs(content, 0)
    graph = model.Subgraphs(0)
    (tensor,) = (
        graph.Tensors(index)
        for index in range(graph.TensorsLength())
        if graph.Tensors(index).Name() == tensor_name.encode()
    )
    buffer = model.Buffers(tensor.Buffer())
    start = buffer._tab.Vector(buffer._tab.Offset(4))
    array = np.frombuffer(content, dtype=np.float32, count=buffer.DataLength() // 4, offset=start)
    changed = change(array.reshape(tensor.ShapeAsNumpy()).copy()).tobytes()
    assert changed != array.tobytes()
    return content[:start] + changed + content[start + len(changed) :]


def test_a_right_file_passes_in_every_way_of_running_it(build: TfliteBuild, evidence: Evidence) -> None:
    result = verified(build, evidence)
    assert result.passed
    assert ways(result) == [*SHARED, *FILE]
    assert (result.blame, result.batches, result.warnings) == (None, None, ())
    # At least four images that differ, each run twice through one interpreter.
    assert result.images.count >= 4
    (logits,) = result.final.outputs
    assert logits.actual_shape == (2 * result.images.count, 5)
    assert dict(result.final.context)["delegate"] == "off"


def test_what_the_delegate_takes_is_counted(build: TfliteBuild, evidence: Evidence) -> None:
    coverage = verified(build, evidence).coverage
    assert coverage is not None
    assert dict(coverage.not_delegated) == {"DEPTHWISE_CONV_2D": 1}
    assert (coverage.operators - coverage.delegated, coverage.partitions) == (1, 2)
    record = verified(build, evidence).to_dict()
    assert record["delegate_coverage"] == coverage.to_dict()
    stages = record["stages"]
    assert isinstance(stages, list)
    assert [(stage["stage"], stage["engine"], stage["delegate"], stage["threads"]) for stage in stages] == [
        *SHARED,
        *FILE,
    ]


@pytest.mark.parametrize(
    ("choices", "tolerance"),
    [
        ({"layout": "nchw"}, "float32"),
        ({"batch": 3}, "float32"),
        ({"batch": 7, "condconv": "experts"}, "float32"),
        ({"experts": "int8"}, "int8_experts"),
        ({"precision": "float16", "batch": 2}, "float16_weights"),
    ],
)
def test_right_files_of_every_kind_pass(
    captured: Captured, evidence: Evidence, choices: dict[str, object], tolerance: str
) -> None:
    build = built(captured, **choices)
    batch = int(str(choices.get("batch", 1)))
    result = verified(build, evidence, batch=batch, tolerance=Tolerance.for_precision(tolerance))
    assert failed(result) == []
    exact = [] if tolerance == "float32" else [(EXACT_STAGE, "litert", True, 1)]
    assert ways(result) == [*SHARED, *exact, *FILE]


@pytest.mark.parametrize(
    ("tensor", "change", "module"),
    [
        # Convolution, norm and activation are one operator in the file: its value is the activation's.
        ("stem.0/conv_weight", one_element_off, "stem.2"),
        ("cond/experts", lambda experts_ke: experts_ke[:, ::-1], "cond_norm"),
        ("depthwise/experts", lambda experts_ke: experts_ke[:, ::-1], "depthwise"),
        ("mix/branch_1_weight", one_element_off, "mix_norm"),
        ("classifier/weight", one_element_off, "classifier"),
        ("classifier/bias", not_a_number, "classifier"),
    ],
)
def test_a_changed_weight_fails_and_its_module_is_named(
    build: TfliteBuild, evidence: Evidence, tensor: str, change: Change, module: str
) -> None:
    result = verified(replace(build, content=with_stored(build.content, tensor, change)), evidence)
    assert not result.passed
    assert failed(result) == FILE
    assert result.blame is not None
    assert (result.blame.stage, result.blame.module_path) == (STAGE, module)
    assert build.tensor_of_value[result.blame.value_name] == result.blame.report.outputs[0].name
    # How much the delegate takes is known all the same.
    assert result.coverage is not None


def test_a_small_change_of_one_weight_is_seen(build: TfliteBuild, evidence: Evidence) -> None:
    content = with_stored(build.content, "classifier/weight", lambda weight: weight * np.float32(1 + 2e-4))
    assert failed(verified(replace(build, content=content), evidence)) == FILE


def test_with_several_images_a_call_nobody_is_blamed(captured: Captured, evidence: Evidence) -> None:
    build = built(captured, batch=2)
    content = with_stored(build.content, "classifier/weight", one_element_off)
    result = verified(replace(build, content=content), evidence, batch=2)
    assert (failed(result), result.blame) == (FILE, None)


class StaleSession:
    """What a runtime did that kept the kernel of the first image: everything after is the first result."""

    def __init__(self, session: LiteRtSession) -> None:
        self._session = session
        self._first: dict[str, np.ndarray] | None = None

    def __getattr__(self, name: str) -> object:
        return getattr(self._session, name)

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        results = self._session.run(feeds)
        self._first = self._first or results
        return self._first


@pytest.mark.parametrize("way", FILE)
def test_a_session_that_keeps_the_first_image_is_caught(
    build: TfliteBuild,
    evidence: Evidence,
    monkeypatch: pytest.MonkeyPatch,
    way: tuple[str, str, bool, int],
) -> None:
    class Backend(LiteRtBackend):
        def open(self, model: bytes, *, threads: int, delegate: bool = True, **kept: bool) -> object:  # type: ignore[override]
            session = super().open(model, threads=threads, delegate=delegate, **kept)
            return StaleSession(session) if (delegate, threads) == way[2:] else session

    monkeypatch.setattr(module_under_test, "LiteRtBackend", Backend)
    result = verified(build, evidence)
    assert not result.passed
    assert failed(result) == [way]
    # Alone, every image is right: there is no module to blame.
    assert result.blame is None


def test_a_stale_mixture_alone_is_caught(build: TfliteBuild, evidence: Evidence) -> None:
    # The routing no longer depends on the image: the mixed kernels are those of one image for all.
    content = with_stored(build.content, "routing.linear/weight", np.zeros_like)
    result = verified(replace(build, content=content), evidence)
    assert failed(result) == FILE
    assert result.blame is not None
    assert result.blame.module_path in ("routing", "routing.linear")


def test_the_unrounded_file_is_held_to_the_tolerance_of_float32(captured: Captured, evidence: Evidence) -> None:
    build = built(captured, experts="int8")
    assert build.exact_content is not None
    # A fault of half a percent: within what rounded experts are allowed, far outside of what rounding explains.
    spoilt = with_stored(build.exact_content, "classifier/weight", lambda weight: weight * np.float32(1.005))
    wide = Tolerance.for_precision("int8_experts")
    result = verified(replace(build, exact_content=spoilt), evidence, tolerance=wide)
    assert not result.passed
    assert failed(result) == [(EXACT_STAGE, "litert", True, 1)]
    assert verified(replace(build, content=spoilt), evidence, tolerance=wide).passed


def test_a_fault_before_the_file_is_named_there_and_no_file_is_run(build: TfliteBuild, evidence: Evidence) -> None:
    shared = with_constant(build.shared, "named", "cond/experts", reversed_experts)
    result = verified(replace(build, shared=shared), evidence)
    assert ways(result) == SHARED[:2]
    assert failed(result) == [SHARED[1]]
    assert result.blame is not None
    assert (result.blame.stage, result.blame.module_path) == ("named", "cond")
    assert result.coverage is None


def test_a_value_that_is_not_finite_fails(build: TfliteBuild, evidence: Evidence) -> None:
    content = with_stored(build.content, "classifier/bias", not_a_number)
    assert verified(replace(build, content=content), evidence).final.verdict is Verdict.NOT_FINITE


def test_progress_names_every_comparison(captured: Captured, evidence: Evidence) -> None:
    build, seen = built(captured, experts="float16"), list[str]()
    assert build.exact_content is not None
    spoilt = with_stored(build.content, "classifier/weight", one_element_off)
    verify_tflite(
        replace(build, content=spoilt),
        evidence,
        batch=1,
        tolerance=Tolerance.for_precision("float16_weights"),
        shared_tolerance=FLOAT32,
        report_progress=seen.append,
    )
    assert seen == [
        "compare captured",
        "compare named",
        "compare rewritten",
        "compare TFLite with float32 experts",
        "compare TFLite, delegate on",
        "compare TFLite, delegate off",
        "find the module",
    ]


def test_images_in_the_files_layout() -> None:
    images = np.arange(120, dtype=np.float32).reshape(2, 3, 4, 5)
    assert in_layout(images, "nchw") is images
    turned = in_layout(images, "nhwc")
    np.testing.assert_array_equal(turned, np.moveaxis(images, 1, 3))
    assert turned.flags.c_contiguous
