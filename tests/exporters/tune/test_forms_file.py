"""Files of forms: read as they were written, refused with every problem."""

from __future__ import annotations

import json

import pytest

from condmix.exporters.errors import FormsFileError
from condmix.exporters.records import LayerForm
from condmix.exporters.tune.forms_file import FormsFile, read_forms_file

FILE = FormsFile(
    condmix_version="0.1.0",
    network="mixnet_s",
    input_size=(3, 224, 224),
    batch=1,
    runtime="onnxruntime 1.31.1",
    machine="a CPU",
    threads=2,
    finisher="portable",
    forms=(LayerForm(layer="blocks.3.mix", form="hoisted@96", why="0.9"), LayerForm(layer="b", form="kernel")),
)


def faults(**changes: object) -> tuple[str, ...]:
    data = {**json.loads(FILE.content()), **changes}
    with pytest.raises(FormsFileError) as caught:
        read_forms_file(json.dumps({key: value for key, value in data.items() if value != "gone"}).encode(), "f.json")
    assert str(caught.value).startswith("f.json: cannot be used as a file of forms:\n  - ")
    return caught.value.problems


@pytest.mark.parametrize("batch", [1, 8, None])
def test_a_file_is_read_as_it_was_written(batch: int | None) -> None:
    file = FormsFile(**{**vars(FILE), "batch": batch})
    assert read_forms_file(file.content(), "f.json") == file


def test_what_it_was_measured_for() -> None:
    assert FILE.sentence() == "mixnet_s 3x224x224, batch 1, 2 threads, onnxruntime 1.31.1, a CPU"
    assert FILE.differences(network="mixnet_s", input_size=(3, 224, 224), batch=1) == ()
    assert FILE.differences(network="mixnet_m", input_size=(3, 64, 64), batch=None) == (
        "network mixnet_s, here mixnet_m",
        "input size 3x224x224, here 3x64x64",
        "batch 1, here dynamic",
    )


def test_every_problem_is_told() -> None:
    assert faults(threads="2", machine="gone", spede=3) == (
        "unknown name 'spede': known are 'kind', 'condmix_version', 'network', 'input_size', 'batch', 'runtime', "
        "'machine', 'threads', 'finisher', 'layers', 'schema_version'",
        "'machine' is missing",
        "'threads' must be int, found '2'",
    )
    assert faults(input_size=[3, 224], layers={"a": {"form": "kernel"}, "b": {"form": 1, "why": ""}}) == (
        "layer 'a': 'why' is missing",
        "layer 'b': 'form' must be str, found 1",
        "'input_size' must be channels, height and width, found [3, 224]",
    )
    assert faults(layers={}) == ("'layers' is empty",)
    assert faults(schema_version=2) == (
        "'schema_version' is 2, this condmix reads 1: write the record again with this version",
    )
    assert faults(kind="condmix-export") == ("'kind' must be 'condmix-forms', found 'condmix-export'",)


@pytest.mark.parametrize(
    ("content", "said"), [(b"{", "it is not JSON"), (b"[]", "found 'list'"), (b"\xff", "not JSON")]
)
def test_another_file_is_told_at_once(content: bytes, said: str) -> None:
    with pytest.raises(FormsFileError, match=said):
        read_forms_file(content, "f.json")
