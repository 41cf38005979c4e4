"""Files for one machine are opened there and nowhere else, and say why."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from condmix.runtime.cpu import CpuFacts
from condmix.runtime.errors import EngineMissingError, OtherMachineError
from condmix.runtime.machine_file import MACHINE_KEY, Machine, machine_of, require_this_machine, this_machine
from condmix.runtime.onnx_session import OnnxRuntimeBackend

HERE = Machine(architecture="x86_64", instruction_sets=("AVX", "AVX2", "AVX-512F"), runtime="1.31.1")


def model(text: str | None, *, weight_bytes: int = 4) -> bytes:
    """x plus a weight, with what the file says of its machine behind the graph."""
    weight = numpy_helper.from_array(np.zeros(weight_bytes // 4, np.float32), "w")
    x, y = (helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [weight_bytes // 4]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", [x], [y], [weight])
    proto = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])
    proto.metadata_props.add(key="other", value="é" * 300)
    if text is not None:
        proto.metadata_props.add(key=MACHINE_KEY, value=text)
    return proto.SerializeToString()


def test_what_a_file_says_is_read_back(tmp_path: Path) -> None:
    content = model(HERE.text(), weight_bytes=1 << 20)
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    assert machine_of(content) == machine_of(path) == HERE


@pytest.mark.parametrize("content", [model(None), b"", b"\x08", b"not a model", bytes(range(256)), b"\xff" * 40])
def test_other_files_are_for_any_machine(content: bytes) -> None:
    assert machine_of(content) is None
    require_this_machine(content)


def test_a_file_that_is_not_there_is_for_the_engine_to_complain_about(tmp_path: Path) -> None:
    assert machine_of(tmp_path / "none.onnx") is None
    assert machine_of(tmp_path) is None


def test_a_cut_file_is_not_taken_for_another_machines() -> None:
    content = model(HERE.text())
    assert machine_of(content[:-3]) is None


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (HERE, ()),
        (
            dataclasses.replace(HERE, architecture="aarch64", runtime=None),
            ("it is for x86_64, this is aarch64", "it is for onnxruntime 1.31.1, here is none"),
        ),
        (
            dataclasses.replace(HERE, instruction_sets=("AVX", "AVX2")),
            ("it is for a CPU with AVX-512F, which this one lacks",),
        ),
        (
            dataclasses.replace(HERE, instruction_sets=(*HERE.instruction_sets, "AVX-512-VNNI")),
            ("it is for a CPU without AVX-512-VNNI, which this one has",),
        ),
        (dataclasses.replace(HERE, runtime="1.32.0"), ("it is for onnxruntime 1.31.1, here is 1.32.0",)),
    ],
)
def test_every_difference_is_named(other: Machine, found: tuple[str, ...]) -> None:
    assert HERE.differences(other) == found


def test_this_machine_is_what_its_facts_say() -> None:
    facts = CpuFacts(
        architecture="x86_64",
        system="Linux",
        model_names=(),
        features=("SSE4.1", "AVX", "F16C", "AVX2"),
        logical_cores=2,
        usable_cores=2,
        versions=(("onnxruntime", "1.31.1"),),
    )
    machine = this_machine(facts)
    assert machine == Machine(architecture="x86_64", instruction_sets=("AVX", "AVX2"), runtime="1.31.1")
    assert machine.problem is None
    assert machine.sentence() == "x86_64 with AVX, AVX2, onnxruntime 1.31.1"
    assert this_machine(facts, runtime="2.0").runtime == "2.0"
    assert this_machine(dataclasses.replace(facts, versions=())).problem == "onnxruntime is not installed"
    assert this_machine(dataclasses.replace(facts, features=())).problem == (
        "the system does not say which instruction sets this x86_64 has"
    )


def test_the_session_refuses_before_the_engine_sees_the_file() -> None:
    own = this_machine()
    x = {"x": np.ones(1, np.float32)}
    assert OnnxRuntimeBackend().open(model(own.text()), threads=1).run(x)["y"] == 1
    other = dataclasses.replace(own, runtime="1.0.0")
    content = model(other.text())
    with pytest.raises(OtherMachineError) as caught:
        OnnxRuntimeBackend().open(content, threads=1)
    assert isinstance(caught.value, EngineMissingError)
    assert str(caught.value) == (
        f"a model of {len(content)} bytes in memory is not for this machine: it is for onnxruntime 1.0.0, here is "
        f"{own.runtime}. Export the network on this machine with --condconv blocked, or export again without "
        "--condconv blocked for a file that runs everywhere."
    )


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"architecture": "a", "instruction_sets": "b", "onnxruntime": "c"}'])
def test_a_machine_that_is_not_understood_is_another_one(text: str) -> None:
    with pytest.raises(OtherMachineError, match="its metadata 'condmix_machine' is not understood"):
        require_this_machine(model(text))
