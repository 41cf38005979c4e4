import dataclasses
from pathlib import Path

import numpy as np
import pytest

from condmix.deploy.browser.subject_file import look_into, pack_feeds
from condmix.runtime.bench.inputs import Feeds
from condmix.runtime.errors import InvalidSettingError, ModelUnreadableError
from tests.deploy.browser.pieces import IMAGES, onnx_subject, reference, subject_files


def test_a_file_is_fed_the_images_of_its_reference(tmp_path: Path) -> None:
    (file,) = subject_files(tmp_path)
    assert file.feeds.source == "reference"
    assert file.feeds.arrays["x"].tolist() == IMAGES.reshape(3, 1, 4).tolist()
    assert file.types == {"float32"}
    assert file.agreement is None


def test_images_that_do_not_fit_are_on_record_and_random_ones_fed(tmp_path: Path) -> None:
    subject = onnx_subject(tmp_path)
    wide = dataclasses.replace(reference(), inputs={"x": np.zeros((3, 9), np.float32)})
    (file,) = look_into([subject], inputs={}, references={"net": wide}, seed=0)
    assert file.feeds.source == "random"
    assert file.agreement is not None
    assert "do not fit" in file.agreement.detail


def test_given_inputs_are_fed(tmp_path: Path) -> None:
    (file,) = look_into([onnx_subject(tmp_path)], inputs={"net": {"x": IMAGES[:1]}}, references={}, seed=0)
    assert (file.feeds.source, file.feeds.count) == ("given", 1)


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    subject = onnx_subject(tmp_path)
    with pytest.raises(InvalidSettingError) as caught:
        look_into(
            [subject, subject], inputs={"net": {"x": IMAGES}}, references={"net": reference(), "b": reference()}, seed=0
        )
    text = str(caught.value)
    assert "there twice" in text
    assert "no subject 'b'" in text
    assert "both inputs and a reference" in text
    with pytest.raises(InvalidSettingError, match="nothing to measure"):
        look_into([], inputs={}, references={}, seed=0)
    with pytest.raises(InvalidSettingError, match="net: an image of 'x'"):
        look_into([subject], inputs={"net": {"x": np.zeros((1, 7), np.float32)}}, references={}, seed=0)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    subject = onnx_subject(tmp_path)
    subject.file.write_bytes(b"\x08\x0anothing")
    with pytest.raises(ModelUnreadableError, match=r"net\.onnx"):
        look_into([subject], inputs={}, references={}, seed=0)


def test_packed_arrays_lie_where_they_are_said_to() -> None:
    arrays = {"a": np.arange(6, dtype=np.uint8).reshape(2, 3), "b": np.arange(4, dtype=">f4").reshape(2, 2)}
    feeds = Feeds(arrays=arrays, image_of_row=np.arange(2).reshape(2, 1), source="given")
    content, described = pack_feeds(feeds)
    assert [one["offset"] for one in described] == [0, 16]
    for one, array in zip(described, arrays.values(), strict=True):
        dtype = np.dtype(one["dtype"]).newbyteorder("<")
        found = np.frombuffer(content, dtype, count=array.size, offset=one["offset"]).reshape(one["shape"])
        assert found.tolist() == array.tolist()
