import contextlib
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from condmix.runtime.errors import (
    EngineMissingError,
    InvalidSettingError,
    ModelUnreadableError,
    SessionFailedError,
    SignatureMismatchError,
)
from condmix.runtime.onnx_session import TELEMETRY_VARIABLE, OnnxRuntimeBackend, Optimization, telemetry_off

BACKEND = OnnxRuntimeBackend()


def test_a_linear_model_from_bytes_and_from_a_path(tmp_path: Path, linear_bytes: bytes, linear_weight: np.ndarray):
    path = tmp_path / "linear.onnx"
    path.write_bytes(linear_bytes)
    images = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    for model in (linear_bytes, path):
        outputs = BACKEND.open(model, threads=1).run({"x": images})
        assert list(outputs) == ["y"]
        np.testing.assert_allclose(outputs["y"], images @ linear_weight, rtol=0, atol=1e-6)


@pytest.mark.parametrize("optimization", list(Optimization))
@pytest.mark.parametrize("threads", [1, 2])
def test_a_convolution_at_every_optimisation_level(conv_net, optimization: Optimization, threads: int):
    session = BACKEND.open(conv_net.to_onnx(), threads=threads, optimization=optimization)
    expected = conv_net.expected(conv_net.images_nchw)["logits"]
    logits = session.run({"images": conv_net.images_nchw})["logits"]
    np.testing.assert_allclose(logits, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


def test_the_signature_is_the_file_s(linear_bytes: bytes):
    signature = BACKEND.open(linear_bytes, threads=1).signature
    assert signature.to_dict() == {
        "inputs": [{"name": "x", "shape": ["n", 4], "dtype": "float32", "layout": None}],
        "outputs": [{"name": "y", "shape": ["n", 5], "dtype": "float32", "layout": None}],
    }


def test_an_axis_without_a_name_is_named_after_its_place(build_onnx):
    model = build_onnx(
        [helper.make_node("Add", ["a", "b"], ["y"])],
        inputs={"a": [None, None], "b": [None, None]},
        outputs={"y": [None, None]},
        constants={},
    )
    session = BACKEND.open(model, threads=1)
    assert [spec.shape for spec in session.signature.inputs] == [
        ("a.axis0", "a.axis1"),
        ("b.axis0", "b.axis1"),
    ]
    # Free axes without a name are not tied together: broadcasting is the model's own business.
    outputs = session.run({"a": np.ones((3, 1), np.float32), "b": np.ones((1, 2), np.float32)})
    assert outputs["y"].shape == (3, 2)


def test_arrays_in_any_memory_order_give_the_same(linear_bytes: bytes):
    session = BACKEND.open(linear_bytes, threads=1)
    images = np.random.default_rng(1).standard_normal((4, 8)).astype(np.float32)
    for view in (images.T[::2], images[:, ::2], np.asfortranarray(images[:, :4])):
        copy = np.ascontiguousarray(view)
        np.testing.assert_array_equal(session.run({"x": view})["y"], session.run({"x": copy})["y"])


def test_running_leaves_the_inputs_as_they_were(conv_net):
    images = conv_net.images_nchw.copy()
    BACKEND.open(conv_net.to_onnx(), threads=1).run({"images": images})
    np.testing.assert_array_equal(images, conv_net.images_nchw)


def test_feeds_that_do_not_fit_are_refused_before_the_engine_sees_them(linear_bytes: bytes):
    with pytest.raises(SignatureMismatchError) as caught:
        BACKEND.open(linear_bytes, threads=1).run({"x": np.zeros((2, 3)), "z": np.zeros(1)})
    assert caught.value.problems == (
        "unknown name 'z': known are 'x'",
        "'x' must be float32, found float64",
        "'x' axis 1 must be 4, found 3",
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"this is no protobuf", "Failed to load model because protobuf parsing failed"),
        (b"", "No graph was found in the protobuf"),
    ],
)
def test_unreadable_bytes(content: bytes, reason: str):
    with pytest.raises(ModelUnreadableError) as caught:
        BACKEND.open(content, threads=1)
    assert f"a model of {len(content)} bytes in memory cannot be opened: onnxruntime " in str(caught.value)
    assert reason in str(caught.value)
    assert str(caught.value).endswith(
        "Check that it is a complete ONNX file whose operators and opset this engine knows."
    )


def test_a_truncated_file(tmp_path: Path, linear_bytes: bytes):
    path = tmp_path / "half.onnx"
    path.write_bytes(linear_bytes[: len(linear_bytes) // 2])
    with pytest.raises(ModelUnreadableError, match=r"half.onnx' cannot be opened: onnxruntime .* says: "):
        BACKEND.open(path, threads=1)


def test_an_operator_that_the_engine_does_not_know():
    node = helper.make_node("Frobnicate", ["x"], ["y"], domain="nobody.knows")
    value = (
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [1]),
    )
    graph = helper.make_graph([node], "graph", [value[0]], [value[1]])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("nobody.knows", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()
    with pytest.raises(ModelUnreadableError, match="Frobnicate"):
        BACKEND.open(model, threads=1)


def test_a_path_without_a_file(tmp_path: Path):
    with pytest.raises(ModelUnreadableError, match=r"no.onnx' cannot be opened: there is no such file\. Give the"):
        BACKEND.open(tmp_path / "no.onnx", threads=1)
    with pytest.raises(ModelUnreadableError, match="it is a folder"):
        BACKEND.open(tmp_path, threads=1)


def test_values_that_numpy_does_not_hold_are_named(build_onnx):
    model = build_onnx(
        [helper.make_node("Identity", ["x"], ["y"])],
        inputs={"x": [2]},
        outputs={"y": [2]},
        constants={},
        element_type=TensorProto.STRING,
    )
    with pytest.raises(ModelUnreadableError) as caught:
        BACKEND.open(model, threads=1)
    assert "no numpy array holds these values: 'x' is tensor(string), 'y' is tensor(string)" in str(caught.value)


def test_an_engine_that_gives_up_is_translated_and_quiet(build_onnx, capfd: pytest.CaptureFixture[str]):
    model = build_onnx(
        [helper.make_node("Reshape", ["x", "shape"], ["y"])],
        inputs={"x": ["n", 4]},
        outputs={"y": [None, None]},
        constants={"shape": np.array([1, 4], np.int64)},
    )
    session = BACKEND.open(model, threads=1)
    assert session.run({"x": np.zeros((1, 4), np.float32)})["y"].shape == (1, 4)
    with pytest.raises(SessionFailedError, match=r"onnxruntime failed while running a model of \d+ bytes in memory: "):
        session.run({"x": np.zeros((2, 4), np.float32)})
    with pytest.raises(ModelUnreadableError):
        BACKEND.open(b"junk", threads=1)
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_what_was_asked_for_reaches_the_engine(monkeypatch: pytest.MonkeyPatch, linear_bytes: bytes):
    original, opened = onnxruntime.InferenceSession, []

    def recorder(model, options, **settings):
        opened.append((options, settings))
        return original(model, options, **settings)

    monkeypatch.setattr(onnxruntime, "InferenceSession", recorder)
    BACKEND.open(linear_bytes, threads=2, optimization=Optimization.BASIC)
    BACKEND.open(linear_bytes, threads=1)
    levels = onnxruntime.GraphOptimizationLevel
    found = [
        (options.intra_op_num_threads, options.inter_op_num_threads, options.graph_optimization_level)
        for options, _ in opened
    ]
    assert found == [(2, 1, levels.ORT_ENABLE_BASIC), (1, 1, levels.ORT_ENABLE_ALL)]
    for _, settings in opened:
        assert settings == {"providers": ["CPUExecutionProvider"], "enable_fallback": 0}


def test_a_session_without_threads_is_refused(linear_bytes: bytes):
    with pytest.raises(InvalidSettingError, match="threads must be at least 1, found 0"):
        BACKEND.open(linear_bytes, threads=0)


def test_a_profile_is_written_only_when_asked_for(tmp_path: Path, linear_bytes: bytes):
    session = BACKEND.open(linear_bytes, threads=1, profile_prefix=tmp_path / "profile")
    session.run({"x": np.zeros((2, 4), np.float32)})
    path = session.finish_profile()
    assert path.parent == tmp_path
    operators = {event.get("args", {}).get("op_name") for event in json.loads(path.read_text())}
    assert "MatMul" in operators
    with pytest.raises(InvalidSettingError, match="not profiling"):
        session.finish_profile()
    with pytest.raises(InvalidSettingError, match="open it with profile_prefix"):
        BACKEND.open(linear_bytes, threads=1).finish_profile()
    assert sorted(tmp_path.iterdir()) == [path]


def test_the_engine_is_available_here():
    assert BACKEND.available() is None
    assert BACKEND.name == "onnxruntime"


def test_a_missing_engine_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, linear_bytes: bytes):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # makes every import of it fail
    with pytest.raises(ImportError):
        importlib.import_module("onnxruntime")
    reason = BACKEND.available()
    assert reason is not None
    assert 'pip install "condmix[onnxruntime]"' in reason
    with pytest.raises(EngineMissingError) as caught:
        BACKEND.open(linear_bytes, threads=1)
    assert caught.value.install_line == 'pip install "condmix[onnxruntime]"'


def test_a_session_leaves_no_file_in_the_users_home(tmp_path: Path):
    program = (
        "from condmix.runtime.onnx_session import OnnxRuntimeBackend as B\n"
        "from condmix.runtime.probe import ONNX_MODEL, probe\n"
        "assert probe(B(), ONNX_MODEL) is None\n"
    )
    kept = {name: value for name, value in os.environ.items() if name != TELEMETRY_VARIABLE and "XDG" not in name}
    home = tmp_path / "home"
    home.mkdir()
    subprocess.run([sys.executable, "-c", program], env={**kept, "HOME": str(home)}, cwd=tmp_path, check=True)
    assert list(home.rglob("*")) == []


def test_telemetry_is_off_for_the_import_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(TELEMETRY_VARIABLE, raising=False)
    with telemetry_off():
        assert TELEMETRY_VARIABLE not in os.environ, "it is imported already: there is nothing to prevent"
    monkeypatch.delitem(sys.modules, "onnxruntime")
    with contextlib.suppress(ImportError), telemetry_off():
        assert os.environ[TELEMETRY_VARIABLE] == "1"
        raise ImportError
    assert TELEMETRY_VARIABLE not in os.environ
    monkeypatch.setenv(TELEMETRY_VARIABLE, "0")
    with telemetry_off():
        assert os.environ[TELEMETRY_VARIABLE] == "0", "the user has decided"
