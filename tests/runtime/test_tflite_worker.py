import ast
import io
import struct
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from condmix.runtime import tflite_worker
from condmix.runtime.tflite_worker import read_message, serve, write_message
from tests.runtime.tflite_files import DenseNet

ARRAYS = {
    "images": np.random.default_rng(1).standard_normal((2, 3)).astype(np.float32),
    "turned": np.arange(6, dtype=np.int8).reshape(2, 3).T,
    "one": np.array(4, np.int64),
    "none": np.zeros((0, 3), np.float16),
    "raw": np.frombuffer(b"\x00\xff", np.uint8),
}


def sent(head: dict, arrays: dict | None = None) -> bytes:
    stream = io.BytesIO()
    write_message(stream, head, arrays or {})
    return stream.getvalue()


def test_a_message_arrives_as_it_was_sent():
    head, arrays = read_message(io.BytesIO(sent({"kind": "run", "outputs": [3]}, ARRAYS)))
    assert head == {"kind": "run", "outputs": [3]}
    assert list(arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert (arrays[name].dtype, arrays[name].shape) == (array.dtype, array.shape)
        assert arrays[name].flags.owndata
        assert arrays[name].flags.writeable


def test_messages_follow_each_other():
    stream = io.BytesIO(sent({"kind": "a"}, ARRAYS) + sent({"kind": "b"}))
    assert [read_message(stream)[0]["kind"] for _ in range(2)] == ["a", "b"]
    with pytest.raises(EOFError):
        read_message(stream)


@pytest.mark.parametrize("kept", [0, 5, 16, 40, -1])
def test_a_message_that_breaks_off_is_an_end(kept: int):
    with pytest.raises(EOFError):
        read_message(io.BytesIO(sent({"kind": "run"}, ARRAYS)[:kept]))


def test_the_lengths_are_what_the_format_says():
    raw = sent({"kind": "run"}, {"one": np.array([1], np.float32)})
    head_length, body_length = struct.unpack(">QQ", raw[:16])
    assert (len(raw), body_length) == (16 + head_length + 4, 4)
    assert raw[-4:] == np.array([1], np.float32).tobytes()


def answers_to(engine, *requests: bytes) -> list[tuple[dict, dict]]:
    stream = io.BytesIO()
    serve(engine, io.BytesIO(b"".join(requests)), stream)
    stream.seek(0)
    found = []
    while stream.tell() < len(stream.getvalue()):
        found.append(read_message(stream))
    return found


def test_requests_are_answered_with_the_interpreter_of_the_other_package():
    # LiteRT's interpreter has the same members: the worker's logic is tested without tflite-runtime too.
    import ai_edge_litert.interpreter as engine

    net = DenseNet()
    model = {"model": np.frombuffer(net.to_tflite(), np.uint8)}
    opened, ran, failed, again = answers_to(
        engine,
        sent({"kind": "open", "threads": 1, "delegate": False}, model),
        sent({"kind": "run", "outputs": [3]}, {"0": net.images}),
        sent({"kind": "run", "outputs": [3]}, {"0": net.images.astype(np.float64)}),
        sent({"kind": "run", "outputs": [3]}, {"0": -net.images}),
    )
    described = {"name": "x", "index": 0, "shape": [2, 4], "dtype": "<f4"}
    assert (opened[0]["kind"], opened[0]["inputs"]) == ("opened", [described])
    assert opened[0]["signatures"]["serving_default"]["inputs"] == {"images": described}
    np.testing.assert_allclose(ran[1]["3"], np.tanh(net.hidden(net.images)), rtol=0, atol=1e-6)
    assert failed[0]["kind"] == "failed"
    assert "Got value of type FLOAT64 but expected type FLOAT32" in failed[0]["reason"]
    np.testing.assert_allclose(again[1]["3"], -ran[1]["3"], rtol=0, atol=1e-6)


def test_an_engine_beside_the_wrong_numpy_is_an_answer_not_a_crash():
    def refuse(**_settings):
        raise SystemError

    engine = SimpleNamespace(
        Interpreter=refuse, OpResolverType=SimpleNamespace(BUILTIN=1, BUILTIN_WITHOUT_DEFAULT_DELEGATES=3)
    )
    request = sent({"kind": "open", "threads": 1, "delegate": True, "path": "net.tflite"})
    assert [head for head, _ in answers_to(engine, request)] == [{"kind": "failed", "reason": "SystemError"}]


def test_the_file_stands_alone_in_the_syntax_of_its_oldest_python():
    source = Path(tflite_worker.__file__).read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 9))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names == {
        "__future__", "argparse", "collections.abc", "importlib", "json", "numpy", "os", "struct", "sys", "typing",
    }  # fmt: skip
    with pytest.raises(SyntaxError):
        ast.parse("match x:\n    case 1: pass", feature_version=(3, 9))
