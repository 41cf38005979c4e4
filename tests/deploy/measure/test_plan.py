"""From files and flags to subjects; every fault of the input at once, with the exit code of the gravest."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from condmix.deploy.errors import PlanError, UnreadableFileError
from condmix.deploy.exit_codes import ExitCode, code_of
from condmix.deploy.measure import plan as plan_module
from condmix.deploy.measure.errors import EnginesMissingError
from condmix.deploy.measure.plan import BenchRequest, make_plan
from condmix.runtime.bench.reference import Limit, Reference, write_reference
from tests.runtime.audit.onnx_files import write_float
from tests.runtime.audit.tflite_models import net
from tests.runtime.tflite_files import DenseNet


@pytest.fixture
def onnx_file(tmp_path: Path) -> Path:
    """float.onnx: image[n, 3, 16, 16] -> logits[n, 10]."""
    return write_float(tmp_path)


@pytest.fixture
def tflite_file(tmp_path: Path) -> Path:
    """net.tflite: image[1, 6, 6, 3] -> logits[1, 5]."""
    path = tmp_path / "net.tflite"
    path.write_bytes(net())
    return path


def _reference(path: Path, shape: tuple[int, ...] = (4, 3, 16, 16)) -> Path:
    reference = Reference(
        inputs={"image": np.zeros(shape, np.float32)},
        outputs={"logits": np.zeros((shape[0], 10), np.float32)},
        outputs_are="PyTorch, float64",
        limits={"float.onnx": Limit(max_abs_difference=1e-4)},
    )
    write_reference(path, reference)
    return path


def test_subjects_are_files_by_batches_by_threads(onnx_file: Path) -> None:
    plan = make_plan(BenchRequest(files=(onnx_file,), threads=(1, 2), batches=(1, 4)))
    assert plan.names == ("float@b1@1t", "float@b1@2t", "float@b4@1t", "float@b4@2t")
    assert [(one.batch, one.threads, one.engine) for one in plan.subjects][-1] == (4, 2, "onnxruntime")
    assert plan.notes == ("float.onnx: no reference beside it, so its inputs are random and nothing is verified",)


def test_two_formats(onnx_file: Path, tflite_file: Path) -> None:
    plan = make_plan(BenchRequest(files=(onnx_file, tflite_file), delegate=False))
    assert [(one.name, one.engine, one.delegate, one.batch) for one in plan.subjects] == [
        ("float", "onnxruntime", True, None),
        ("net", "litert", False, None),
    ]


def test_a_reference_beside_the_file_is_found_and_one_that_is_given_is_for_all(onnx_file: Path) -> None:
    beside = _reference(onnx_file.with_name("float.reference.npz"))
    plan = make_plan(BenchRequest(files=(onnx_file,)))
    assert plan.references["float"].images == 4
    assert plan.notes == ()
    other = beside.rename(onnx_file.with_name("other.npz"))
    assert set(make_plan(BenchRequest(files=(onnx_file,), reference=other)).references) == {"float"}


def test_given_inputs_take_the_place_of_a_reference(onnx_file: Path) -> None:
    _reference(onnx_file.with_name("float.reference.npz"))
    path = onnx_file.with_name("mine.npz")
    np.savez(path, image=np.zeros((2, 3, 16, 16), np.float32))
    plan = make_plan(BenchRequest(files=(onnx_file,), inputs=path))
    assert plan.references == {}
    assert plan.inputs["float"]["image"].shape == (2, 3, 16, 16)


def test_everything_that_is_wrong_is_told_at_once(onnx_file: Path, tmp_path: Path) -> None:
    (tmp_path / "junk.onnx").write_text("this is no model")
    (tmp_path / "empty.tflite").touch()
    files = (tmp_path / "junk.onnx", tmp_path / "empty.tflite", tmp_path / "missing.onnx", onnx_file, onnx_file)
    with pytest.raises(UnreadableFileError) as caught:
        make_plan(BenchRequest(files=files, inputs=tmp_path / "none.npz", reference=tmp_path / "no.npz"))
    text = str(caught.value)
    assert text.startswith("nothing was measured:\n")
    for said in (
        "junk.onnx' cannot be opened: onnxruntime",
        "empty.tflite' cannot be opened: it is empty",
        "missing.onnx' cannot be opened: there is no such file",
        "none.npz: cannot be used as inputs: No such file or directory",
        "float.onnx is given twice: the first file is measured against itself anyway",
        "--inputs and --reference exclude each other",
    ):
        assert said in text
    assert code_of(caught.value) is ExitCode.INPUT


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"shapes": {"imgae": (1, 3, 16, 16)}}, "--shape imgae: no file has that input; inputs are image"),
        (
            {"shapes": {"image": (1, 3, 16, 17)}},
            "float.onnx: the shape of 'image' is nx3x16x16 in the file, asked for 1x3x16x17: give one that fits, "
            "with --shape NAME=1x3x224x224 or --inputs FILE.npz",
        ),
        (
            {"shapes": {"image": (1, 3, 16, 16)}, "batches": (2,)},
            "float.onnx: shapes['image'] begins with 1, but batch",
        ),
        ({"delegate": False}, "--no-delegate is about .tflite files, and there is none"),
    ],
)
def test_flags_that_do_not_fit_the_file(onnx_file: Path, changes: dict, said: str) -> None:
    with pytest.raises(PlanError) as caught:
        make_plan(BenchRequest(files=(onnx_file,), **changes))
    assert said in str(caught.value)
    assert code_of(caught.value) is ExitCode.USAGE


def test_a_batch_that_the_file_fixes(tflite_file: Path) -> None:
    with pytest.raises(PlanError, match=r"net\.tflite: .* fixed in the file: leave --batches out, or export it with"):
        make_plan(BenchRequest(files=(tflite_file,), batches=(2,)))


def test_images_that_do_not_fit_the_file(onnx_file: Path, tmp_path: Path) -> None:
    reference = _reference(tmp_path / "small.npz", (4, 3, 8, 8))
    with pytest.raises(PlanError, match="an image of 'image' is 3x8x8, the file takes 3x16x16"):
        make_plan(BenchRequest(files=(onnx_file,), reference=reference))
    np.savez(tmp_path / "mine.npz", image=np.zeros((2, 3, 16, 16), np.float32), other=np.zeros((2, 1), np.float32))
    with pytest.raises(PlanError, match="'other'"):
        make_plan(BenchRequest(files=(onnx_file,), inputs=tmp_path / "mine.npz"))


def test_a_damaged_reference_is_named_once_and_no_note_says_that_there_is_none(onnx_file: Path) -> None:
    path = onnx_file.with_name("float.reference.npz")
    path.write_bytes(b"PK\x03\x04 damaged")
    with pytest.raises(UnreadableFileError) as caught:
        make_plan(BenchRequest(files=(onnx_file,), threads=(1, 2)))
    assert str(caught.value).count(f"{path}: cannot be used as a reference: ") == 1


def test_missing_engines_are_named_each_with_its_line(
    onnx_file: Path, tflite_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(EnginesMissingError) as caught:
        make_plan(BenchRequest(files=(onnx_file, tflite_file)))
    assert 'pip install "condmix[onnxruntime]"' in str(caught.value)
    assert 'pip install "condmix[litert]"' in str(caught.value)
    assert code_of(caught.value) is ExitCode.MISSING


def test_tflite_runtime_is_another_subject_of_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "dense.tflite"
    path.write_bytes(DenseNet().to_tflite())
    site = tmp_path / "site"
    request = BenchRequest(files=(path,), engines=("litert", "tflite-runtime"), site=site, threads=(1, 2))
    with pytest.raises(EnginesMissingError, match=r"there is no folder .*Or: condmix doctor --prepare tflite-runtime"):
        make_plan(request)
    monkeypatch.setattr(plan_module.TfliteRuntimeBackend, "available", lambda _self: None)
    plan = make_plan(request)
    assert plan.names == ("dense@1t", "dense@1t@tflite-runtime", "dense@2t", "dense@2t@tflite-runtime")
    assert [one.engine for one in plan.subjects] == ["litert", "tflite-runtime"] * 2
    assert plan.site == site
    assert plan_module.TFLITE_RUNTIME_NOTE in plan.notes
    assert "computes int8 files in its own kernels, not in XNNPACK" in plan_module.TFLITE_RUNTIME_NOTE
    alone = make_plan(BenchRequest(files=(path,), engines=("tflite-runtime",), site=site))
    assert alone.names == ("dense@tflite-runtime",), "it is never taken for LiteRT"
    monkeypatch.setattr(plan_module, "find_bench_python", lambda: None)
    with pytest.raises(EnginesMissingError, match=r"no Python 3\.11 was found"):
        make_plan(request)
    plain = make_plan(BenchRequest(files=(path,)))
    assert (plain.site, plain.names) == (None, ("dense",))
