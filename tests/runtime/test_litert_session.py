import errno
import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from condmix.runtime.errors import (
    EngineMissingError,
    InvalidSettingError,
    ModelUnreadableError,
    SessionFailedError,
    SignatureMismatchError,
)
from condmix.runtime.litert_session import LiteRtBackend
from tests.runtime.tflite_files import DenseNet, DynamicDepthwise, Operator, build_tflite

BACKEND = LiteRtBackend()
NET = DenseNet()


@pytest.mark.parametrize("delegate", [True, False])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_net_from_bytes_and_from_a_path(tmp_path: Path, delegate: bool, threads: int):
    path = tmp_path / "net.tflite"
    path.write_bytes(NET.to_tflite())
    for model in (NET.to_tflite(), path):
        outputs = BACKEND.open(model, threads=threads, delegate=delegate).run({"images": NET.images})
        assert list(outputs) == ["logits"]
        np.testing.assert_allclose(outputs["logits"], np.tanh(NET.hidden(NET.images)), rtol=0, atol=1e-6)


def test_the_signature_is_the_file_s():
    assert BACKEND.open(NET.to_tflite(), threads=1).signature.to_dict() == {
        "inputs": [{"name": "images", "shape": [2, 4], "dtype": "float32", "layout": None}],
        "outputs": [{"name": "logits", "shape": [2, 5], "dtype": "float32", "layout": None}],
    }


def test_without_a_signature_the_tensors_give_the_names():
    session = BACKEND.open(NET.to_tflite(signatures={}), threads=1)
    assert ([s.name for s in session.signature.inputs], [s.name for s in session.signature.outputs]) == (["x"], ["y"])
    assert session.run({"x": NET.images})["y"].shape == (2, 5)


def test_among_several_signatures_the_default_one_counts():
    names = {"first": ({"a": "x"}, {"b": "y"}), "serving_default": ({"images": "x"}, {"logits": "y"})}
    session = BACKEND.open(NET.to_tflite(signatures=names), threads=1)
    assert [spec.name for spec in session.signature.inputs] == ["images"]
    names["second"] = names.pop("serving_default")
    with pytest.raises(ModelUnreadableError, match=r"it has 2 signatures \('first', 'second'\) and none is 'serving_"):
        BACKEND.open(NET.to_tflite(signatures=names), threads=1)


def test_inputs_and_outputs_come_in_the_order_of_the_graph():
    model = build_tflite(
        {"p": ((2,), "float32"), "q": ((2,), "float32"), "r": ((2,), "float32"), "s": ((2,), "float32")},
        [Operator(name="MAXIMUM", inputs=["p", "q"], outputs=["r"]), Operator(name="NEG", inputs=["p"], outputs=["s"])],
        inputs=["q", "p"],
        outputs=["s", "r"],
        signatures={"serving_default": ({"b": "p", "z": "q"}, {"a": "r", "y": "s"})},
    )
    session = BACKEND.open(model, threads=1)
    assert [spec.name for spec in session.signature.inputs] == ["z", "b"]
    assert [spec.name for spec in session.signature.outputs] == ["y", "a"]
    outputs = session.run({"b": np.array([1, 2], np.float32), "z": np.array([3, -4], np.float32)})
    assert {name: values.tolist() for name, values in outputs.items()} == {"y": [-1, -2], "a": [3, 2]}


def test_an_input_that_the_signature_forgets_is_an_error():
    model = build_tflite(
        {"a": ((2,), "float32"), "b": ((2,), "float32"), "c": ((2,), "float32")},
        [Operator(name="MAXIMUM", inputs=["a", "b"], outputs=["c"])],
        inputs=["a", "b"],
        outputs=["c"],
        signatures={"serving_default": ({"a": "a"}, {"c": "c"})},
    )
    with pytest.raises(ModelUnreadableError, match=r"the names \['a'\] do not name each of its 2 inputs"):
        BACKEND.open(model, threads=1)


def test_different_images_through_one_session_each_get_their_own_result():
    net = DynamicDepthwise()
    generator = np.random.default_rng(8)
    for delegate in (True, False):
        session = BACKEND.open(net.to_tflite(), threads=2, delegate=delegate)
        kept = []
        for kernel in (*net.kernels, net.kernels[0]):
            image = generator.standard_normal(net.image_nhwc.shape).astype(np.float32)
            kept.append((session.run({"image": image, "kernel": kernel})["result"], net.expected(image, kernel)))
        # Compared only now: a result that were a view would have been overwritten.
        for result, expected in kept:
            np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5)


def test_arrays_in_any_memory_order_give_the_same():
    session = BACKEND.open(NET.to_tflite(), threads=1)
    for view in (np.asfortranarray(NET.images), np.repeat(NET.images, 2, axis=1)[:, ::2], NET.images[::-1]):
        copy = np.ascontiguousarray(view)
        np.testing.assert_array_equal(session.run({"images": view})["logits"], session.run({"images": copy})["logits"])


def test_a_single_number_is_an_input_too():
    model = build_tflite(
        {"x": ((), "float32"), "y": ((), "float32")},
        [Operator(name="NEG", inputs=["x"], outputs=["y"])],
        inputs=["x"],
        outputs=["y"],
    )
    outputs = BACKEND.open(model, threads=1).run({"x": np.array(3, np.float32)})
    assert (outputs["y"].shape, float(outputs["y"])) == ((), -3)


def test_feeds_that_do_not_fit_are_refused_before_the_engine_sees_them():
    session = BACKEND.open(NET.to_tflite(), threads=1)
    with pytest.raises(SignatureMismatchError) as caught:
        session.run({"images": np.zeros((3, 4)), "z": np.zeros(1)})
    assert caught.value.problems == (
        "unknown name 'z': known are 'images'",
        "'images' must be float32, found float64",
        "'images' axis 0 must be 2, found 3",
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"this is no flatbuffer", "it is damaged: it does not begin as a TFLite file does"),
        (NET.to_tflite()[:300], "it is damaged: something lies at byte 640, the file has 300"),
        (b"", "it is empty"),
    ],
)
def test_unreadable_files(tmp_path: Path, content: bytes, reason: str):
    path = tmp_path / "net.tflite"
    path.write_bytes(content)
    for model, place in ((content, f"a model of {len(content)} bytes in memory"), (path, f"'{path}'")):
        with pytest.raises(ModelUnreadableError) as caught:
            BACKEND.open(model, threads=1)
        assert str(caught.value).startswith(f"{place} cannot be opened: {reason}. ")


def test_a_path_without_a_file(tmp_path: Path):
    with pytest.raises(ModelUnreadableError, match=r"no.tflite' cannot be opened: there is no such file\. Give the"):
        BACKEND.open(tmp_path / "no.tflite", threads=1)
    with pytest.raises(ModelUnreadableError, match="it is a folder"):
        BACKEND.open(tmp_path, threads=1)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "net.tflite"
    path.write_bytes(NET.to_tflite())

    def refuse(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ModelUnreadableError, match=r"cannot be opened: it cannot be read: .*Permission denied"):
        BACKEND.open(path, threads=1)


def test_an_operator_that_the_engine_does_not_know():
    model = build_tflite(
        {"x": ((1,), "float32"), "y": ((1,), "float32")},
        [Operator(name="Frobnicate", inputs=["x"], outputs=["y"])],
        inputs=["x"],
        outputs=["y"],
    )
    with pytest.raises(ModelUnreadableError, match="Frobnicate"):
        BACKEND.open(model, threads=1)


def test_an_engine_that_gives_up_is_translated():
    model = build_tflite(
        {"x": ((2,), "float32"), "row": ((1,), "int32"), "y": ((1,), "float32")},
        [Operator(name="GATHER", inputs=["x", "row"], outputs=["y"], options=schema.GatherOptionsT())],
        inputs=["x", "row"],
        outputs=["y"],
    )
    session = BACKEND.open(model, threads=1)
    feeds = {"x": np.array([5, 6], np.float32), "row": np.array([1], np.int32)}
    assert session.run(feeds)["y"].tolist() == [6]
    place = r"ai-edge-litert failed while running a model of \d+ bytes in memory: gather index out of bounds"
    with pytest.raises(SessionFailedError, match=place):
        session.run({**feeds, "row": np.array([7], np.int32)})
    assert session.run(feeds)["y"].tolist() == [6]


def test_opening_and_running_are_quiet():
    # In a fresh process: the engine speaks of its delegate only once.
    program = (
        "import sys, numpy\n"
        "from condmix.runtime.litert_session import LiteRtBackend\n"
        "model = sys.stdin.buffer.read()\n"
        "for preserve in (False, True):\n"
        "    session = LiteRtBackend().open(model, threads=1, preserve_all_tensors=preserve)\n"
        "    session.run({'images': numpy.zeros((2, 4), 'float32')})\n"
    )
    loud = (
        "import sys\nfrom ai_edge_litert.interpreter import Interpreter\n"
        "Interpreter(model_content=sys.stdin.buffer.read()).allocate_tensors()\n"
    )
    quiet_run, loud_run = (
        subprocess.run([sys.executable, "-c", text], input=NET.to_tflite(), capture_output=True, check=True)
        for text in (program, loud)
    )
    assert (quiet_run.stdout, quiet_run.stderr) == (b"", b"")
    assert b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU." in loud_run.stderr


def test_a_session_without_threads_is_refused():
    with pytest.raises(InvalidSettingError, match="threads must be at least 1, found 0"):
        BACKEND.open(NET.to_tflite(), threads=0)


def test_what_was_asked_for_reaches_the_engine(monkeypatch: pytest.MonkeyPatch):
    engine = importlib.import_module("ai_edge_litert.interpreter")
    original, opened = engine.Interpreter, []

    def recorder(**settings):
        opened.append(settings)
        return original(**settings)

    monkeypatch.setattr(engine, "Interpreter", recorder)
    BACKEND.open(NET.to_tflite(), threads=2)
    BACKEND.open(NET.to_tflite(), threads=1, delegate=False, preserve_all_tensors=True)
    kinds = engine.OpResolverType
    asked = [
        (one["num_threads"], one["experimental_op_resolver_type"], one["experimental_preserve_all_tensors"])
        for one in opened
    ]
    assert asked == [(2, kinds.BUILTIN, False), (1, kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES, True)]


def test_a_missing_engine_names_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch):
    assert BACKEND.available() is None
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    assert 'Install it with: pip install "condmix[litert]"' in str(BACKEND.available())
    with pytest.raises(EngineMissingError):
        BACKEND.open(NET.to_tflite(), threads=1)


def test_nothing_is_left_open(tmp_path: Path):
    path = tmp_path / "net.tflite"
    path.write_bytes(NET.to_tflite())
    BACKEND.open(path, threads=1)
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("this system does not list the open files of a process in /proc/self/fd")
    before = len(list(folder.iterdir()))
    for _ in range(5):
        BACKEND.open(path, threads=1)
    assert len(list(folder.iterdir())) == before
