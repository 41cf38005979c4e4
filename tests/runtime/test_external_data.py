"""Weights beside an ONNX file: found without the onnx package, and only in its own folder."""

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from condmix.runtime.bench.identity import identify
from condmix.runtime.bench.subject import BenchSubject
from condmix.runtime.errors import ModelUnreadableError
from condmix.runtime.external_data import external_files, external_locations, identity_with
from tests.runtime.conftest import build

WEIGHT = np.random.default_rng(3).standard_normal((4, 5)).astype(np.float32)


def apart(location: str, name: str = "w") -> onnx.TensorProto:
    """A tensor whose values are said to lie at that location."""
    tensor = numpy_helper.from_array(WEIGHT, name)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="offset", value="0")
    tensor.external_data.add(key="location", value=location)
    return tensor


def model_of(*locations: str) -> bytes:
    """An ONNX file with a MatMul; an external weight for each location, the first of which it uses."""
    names = ["w", *(f"more{number}" for number in range(len(locations) - 1))]
    content = build(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], inputs={"x": ["n", 4]}, outputs={"y": ["n", 5]},
        constants={"w": WEIGHT},
    )  # fmt: skip
    model = onnx.load_from_string(content)
    del model.graph.initializer[:]
    model.graph.initializer.extend(apart(location, name) for name, location in zip(names, locations, strict=True))
    return bytes(model.SerializeToString())


def test_every_place_where_a_tensor_may_stand():
    inner = helper.make_graph([], "inner", [], [], [apart("in an inner graph")])
    node = helper.make_node("If", ["c"], ["y"], then_branch=inner)
    node.attribute.extend(
        [
            helper.make_attribute("value", apart("in an attribute")),
            helper.make_attribute("values", [apart("in a list"), apart("in an attribute")]),
            helper.make_attribute("graphs", [inner]),
        ]
    )
    sparse = onnx.SparseTensorProto(values=apart("sparse"), indices=apart("indices"), dims=[4, 5])
    node.attribute.append(helper.make_attribute("sparse_value", sparse))
    graph = helper.make_graph([node], "graph", [], [], [apart("initializer")])
    graph.sparse_initializer.append(sparse)
    function = helper.make_function("f", "F", [], [], [node], [])
    model = helper.make_model(graph, functions=[function])
    model.training_info.add(algorithm=helper.make_graph([], "train", [], [], [apart("in training")]))
    assert sorted(external_locations(model.SerializeToString())) == [
        "in a list", "in an attribute", "in an inner graph", "in training", "indices", "initializer", "sparse",
    ]  # fmt: skip


def test_a_location_of_a_tensor_that_holds_its_data_itself_does_not_count():
    tensor = numpy_helper.from_array(WEIGHT, "w")
    tensor.external_data.add(key="location", value="/etc/passwd")
    graph = helper.make_graph([], "graph", [], [], [tensor])
    assert external_locations(helper.make_model(graph).SerializeToString()) == ()


@given(st.binary(max_size=200))
def test_no_bytes_do_any_harm(content: bytes):
    assert isinstance(external_locations(content), tuple)


def test_what_is_cut_off_is_for_the_engine_to_refuse():
    whole = model_of("w.bin")
    assert external_locations(whole) == ("w.bin",)
    assert external_locations(whole[:-3]) == ()
    deep = b""
    for _ in range(100):
        deep = bytes([5 << 3 | 2]) + _length(b"\x32" + _length(deep)) if deep else b"\x08\x01"
        deep = bytes([1 << 3 | 2]) + _length(deep)
    assert external_locations(bytes([7 << 3 | 2]) + _length(deep)) == ()


def _length(content: bytes) -> bytes:
    rest, found = len(content), b""
    while rest > 0x7F:
        found, rest = found + bytes([rest & 0x7F | 0x80]), rest >> 7
    return found + bytes([rest]) + content


def test_the_files_lie_in_the_folder_of_the_model(tmp_path: Path):
    path = tmp_path / "net.onnx"
    path.write_bytes(model_of("net.onnx.data", "parts/more.bin"))
    (tmp_path / "parts").mkdir()
    for name in ("net.onnx.data", "parts/more.bin"):
        (tmp_path / name).write_bytes(WEIGHT.tobytes())
    files = external_files(path)
    assert files == {name: tmp_path / name for name in ("net.onnx.data", "parts/more.bin")}
    sha256, size_bytes = identity_with(path.read_bytes(), files)
    together = path.read_bytes() + WEIGHT.tobytes() + WEIGHT.tobytes()
    assert (sha256, size_bytes) == (hashlib.sha256(together).hexdigest(), len(together))
    subject = BenchSubject(name="net", file=path, engine="onnxruntime")
    assert identify([subject])["net"].sha256 == sha256
    (tmp_path / "net.onnx.data").write_bytes((-WEIGHT).tobytes())
    assert identify([subject])["net"].sha256 != sha256, "other weights are another model"


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("/etc/passwd", "an absolute path"),
        ("C:\\weights.bin", "an absolute path"),
        ("\\\\host\\weights.bin", "an absolute path"),
        ("", "an empty path"),
        ("../weights.bin", "a path that leads out of its folder"),
        ("parts/../../weights.bin", "a path that leads out of its folder"),
        ("parts\\..\\..\\weights.bin", "a path that leads out of its folder"),
        ("parts\\weights.bin", "a path that only Windows would read so"),
        ("none.bin", "there is no such file beside it"),
        ("folder", "it is no file"),
        ("link.bin", "a link that leads out of its folder"),
        ("linked/secret.bin", "a link that leads out of its folder"),
    ],
)
def test_no_path_leads_out_of_the_folder(tmp_path: Path, location: str, reason: str):
    folder, outside = tmp_path / "net", tmp_path / "outside"
    for place in (folder / "folder", outside):
        place.mkdir(parents=True)
    (outside / "secret.bin").write_bytes(WEIGHT.tobytes())
    (tmp_path / "weights.bin").write_bytes(WEIGHT.tobytes())
    (folder / "link.bin").symlink_to(outside / "secret.bin")
    (folder / "linked").symlink_to(outside)
    path = folder / "net.onnx"
    path.write_bytes(model_of(location))
    with pytest.raises(ModelUnreadableError) as caught:
        external_files(path)
    assert f"it keeps weights in {location!r}: {reason}" in str(caught.value)
    assert str(caught.value).endswith("into its own folder, under the names that it knows.")


def test_all_locations_are_told_at_once(tmp_path: Path):
    path = tmp_path / "net.onnx"
    path.write_bytes(model_of("/a", "b", "../c"))
    with pytest.raises(ModelUnreadableError, match=r"'/a': an absolute path; .* 'b': there is no .* '../c': a path th"):
        external_files(path)
    with pytest.raises(ModelUnreadableError, match="No such file"):
        external_files(tmp_path / "none.onnx")
