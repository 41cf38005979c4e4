import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.runtime.errors import InvalidRecordError, InvalidSettingError, SignatureMismatchError
from condmix.runtime.signature import Signature, TensorSpec

IMAGES = TensorSpec(name="images", shape=("n", 3, 4, 4), dtype="float32", layout="NCHW")
MASK = TensorSpec(name="mask", shape=("n",), dtype="bool")
LOGITS = TensorSpec(name="logits", shape=("n", 10), dtype="float32", layout="NC")
SIGNATURE = Signature(inputs=(IMAGES, MASK), outputs=(LOGITS,))


def feeds(count: int) -> dict[str, np.ndarray]:
    return {"images": np.zeros((count, 3, 4, 4), np.float32), "mask": np.zeros(count, np.bool_)}


@pytest.mark.parametrize("count", [1, 2, 7])
def test_fitting_feeds_pass_at_every_batch_size(count: int):
    SIGNATURE.check(feeds(count))
    assert SIGNATURE.problems(feeds(count)) == ()


def test_all_mismatches_are_told_at_once():
    wrong = {"imags": np.zeros(1), "images": np.zeros((2, 1, 4, 5)), "mask": np.zeros(3, np.bool_)}
    with pytest.raises(SignatureMismatchError) as caught:
        SIGNATURE.check(wrong)
    assert caught.value.problems == (
        "unknown name 'imags': did you mean 'images'?",
        "'images' must be float32, found float64",
        "'images' axis 1 must be 3, found 1",
        "'images' axis 3 must be 4, found 5",
        "'mask' axis 0 ('n') is 3, but 'n' is 2 in 'images'",
    )


def test_missing_rank_and_kind():
    assert SIGNATURE.problems({"images": np.zeros((3, 4, 4), np.float32)}) == (
        "'images' must have shape [n, 3, 4, 4], found [3, 4, 4]",
        "'mask' is missing: expected bool [n]",
    )
    assert SIGNATURE.problems({**feeds(1), "mask": [True]}) == ("'mask' must be a numpy array, found list",)


def test_an_empty_batch_does_not_fit():
    assert SIGNATURE.problems(feeds(0)) == ("'images' axis 0 ('n') is empty", "'mask' axis 0 ('n') is empty")


def test_a_foreign_byte_order_is_told():
    swapped = np.zeros((1, 3, 4, 4), np.dtype(np.float32).newbyteorder("S"))
    assert SIGNATURE.problems({**feeds(1), "images": swapped}) == (f"'images' must be float32, found {swapped.dtype}",)


def test_impossible_specs_name_every_fault():
    with pytest.raises(InvalidSettingError) as caught:
        TensorSpec(name="", shape=(0, "", 3), dtype="float", layout="NN")
    assert caught.value.problems == (
        "name is empty",
        "shape[0] is 0: a fixed axis is at least 1",
        "shape[1] is an empty string: give the free axis a name",
        "dtype 'float' must be written 'float64'",
        "layout 'NN' needs one distinct letter for each axis of (0, '', 3)",
    )


@pytest.mark.parametrize(
    ("dtype", "layout", "message"),
    [
        ("tensor(float)", None, "dtype 'tensor\\(float\\)' is not a numpy dtype"),
        ("float32", "nc", "layout 'nc' must be capital letters"),
    ],
)
def test_other_impossible_specs(dtype: str, layout: str | None, message: str):
    with pytest.raises(InvalidSettingError, match=message):
        TensorSpec(name="x", shape=(1, 2), dtype=dtype, layout=layout)


def test_a_signature_refuses_double_names_and_no_outputs():
    with pytest.raises(InvalidSettingError) as caught:
        Signature(inputs=(MASK, MASK), outputs=())
    assert caught.value.problems == (
        "outputs is empty: a model without outputs computes nothing",
        "inputs has the name 'mask' twice",
    )


SPECS = st.builds(
    lambda name, shape, dtype: TensorSpec(name=name, shape=tuple(shape), dtype=dtype),
    st.text(min_size=1, max_size=5),
    st.lists(st.one_of(st.integers(1, 2**31), st.text(min_size=1, max_size=3)), max_size=5),
    st.sampled_from(["float32", "float64", "int8", "uint8", "bool", "int64", "float16"]),
)


@given(st.lists(SPECS, max_size=3, unique_by=lambda spec: spec.name), SPECS)
def test_a_signature_survives_json(inputs: list[TensorSpec], output: TensorSpec):
    signature = Signature(inputs=tuple(inputs), outputs=(output,))
    assert Signature.from_dict(json.loads(json.dumps(signature.to_dict()))) == signature


def test_the_layout_survives_json():
    assert Signature.from_dict(json.loads(json.dumps(SIGNATURE.to_dict()))) == SIGNATURE


def test_records_with_faults_are_refused():
    good = IMAGES.to_dict()
    with pytest.raises(InvalidRecordError, match="unknown name 'dtyp': did you mean 'dtype'"):
        TensorSpec.from_dict({**good, "dtyp": "int8"})
    with pytest.raises(InvalidSettingError, match=r"shape\[1\] must be int or str, found None"):
        TensorSpec.from_dict({**good, "shape": [1, None, 2, 2]})
    with pytest.raises(InvalidRecordError, match="'outputs' is missing"):
        Signature.from_dict({"inputs": []})
