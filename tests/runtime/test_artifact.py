import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from condmix.runtime.artifact import Artifact, Format, Precision, describe_file
from condmix.runtime.errors import InvalidRecordError, InvalidSettingError, ModelUnreadableError
from condmix.runtime.signature import Signature, TensorSpec

SIGNATURE = Signature(
    inputs=(TensorSpec(name="x", shape=("n", 4), dtype="float32", layout="NC"),),
    outputs=(TensorSpec(name="y", shape=("n", 5), dtype="float32"),),
)
PARENT = "ab" * 32


def describe(path: Path, **changes: object) -> Artifact:
    settings = {
        "format": Format.ONNX,
        "precision": Precision.FLOAT32,
        "signature": SIGNATURE,
        "parent_sha256": PARENT,
        "produced_by": "condmix 0.1.0 to_onnx",
    }
    return describe_file(path, **{**settings, **changes})


@pytest.mark.parametrize("size_bytes", [1, (1 << 20) - 1, 1 << 20, (2 << 20) + 17])
def test_hash_and_size_are_those_of_the_bytes(tmp_path: Path, size_bytes: int):
    content = np.random.default_rng(size_bytes).bytes(size_bytes)
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    artifact = describe(path)
    assert artifact.sha256 == hashlib.sha256(content).hexdigest()
    assert artifact.size_bytes == size_bytes
    assert artifact.path == path


def test_one_changed_byte_changes_the_hash(tmp_path: Path):
    path = tmp_path / "a.onnx"
    path.write_bytes(b"abc")
    before = describe(path)
    path.write_bytes(b"abd")
    assert describe(path).sha256 != before.sha256


def test_an_artifact_survives_json(tmp_path: Path):
    path = tmp_path / "a.tflite"
    path.write_bytes(b"abc")
    for artifact in (
        describe(path),
        describe(path, format=Format.TFLITE, precision=Precision.INT8, parent_sha256=None),
    ):
        assert Artifact.from_dict(json.loads(json.dumps(artifact.to_dict()))) == artifact


def test_files_that_cannot_be_described(tmp_path: Path):
    with pytest.raises(ModelUnreadableError, match=r"none.onnx' cannot be opened: No such file or directory"):
        describe(tmp_path / "none.onnx")
    with pytest.raises(ModelUnreadableError, match=r"Is a directory\. Give the path of a readable file\."):
        describe(tmp_path)
    empty = tmp_path / "empty.onnx"
    empty.touch()
    with pytest.raises(ModelUnreadableError, match=r"the file is empty\. Write it again\."):
        describe(empty)


def test_impossible_artifacts_name_every_fault():
    with pytest.raises(InvalidSettingError) as caught:
        Artifact(
            format=Format.ONNX,
            precision=Precision.INT8,
            path=Path("a.onnx"),
            sha256="AB",
            size_bytes=0,
            signature=SIGNATURE,
            parent_sha256="AB",
            produced_by="",
        )
    assert caught.value.problems == (
        "sha256 must be 64 lowercase hexadecimal digits, found 'AB'",
        "parent_sha256 must be 64 lowercase hexadecimal digits, found 'AB'",
        "parent_sha256 equals sha256: a file is not its own parent",
        "size_bytes must be at least 1, found 0",
        "produced_by is empty: name the step that wrote the file",
    )


def test_records_with_faults_are_refused(tmp_path: Path):
    path = tmp_path / "a.onnx"
    path.write_bytes(b"abc")
    good = describe(path).to_dict()
    with pytest.raises(InvalidRecordError) as caught:
        Artifact.from_dict({**good, "format": "onx", "precision": "int4"})
    assert caught.value.problems == (
        "'format' must be one of 'onnx', 'tflite', found 'onx'",
        "'precision' must be one of 'float32', 'int8', found 'int4'",
    )
    with pytest.raises(InvalidRecordError, match="unknown name 'sha25': did you mean 'sha256'"):
        Artifact.from_dict({**good, "sha25": "0"})
    with pytest.raises(InvalidRecordError, match="'schema_version' is 2, this condmix reads 1"):
        Artifact.from_dict({**good, "schema_version": 2})
