"""Tests of condmix.models.checkpoint_format."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from condmix.models.checkpoint_format import CheckpointContents, as_plain, decode, encode, is_own
from condmix.models.errors import CheckpointError
from condmix.models.preprocessing import Preprocessing


def contents(**changes: Any) -> CheckpointContents:
    fields: dict[str, Any] = {
        "architecture": "mixnet_digits",
        "settings": {"num_classes": 3},
        "state_dict": {"weight": torch.ones(2)},
        "input_size": (1, 32, 32),
        "preprocessing": Preprocessing.default(1),
        "class_names": ("a", "b", "c"),
        "remarks": ("trained for a test",),
    }
    return CheckpointContents(**{**fields, **changes})


PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@given(
    settings=st.dictionaries(st.text(), PLAIN | st.lists(PLAIN | st.lists(st.integers()))),
    input_size=st.tuples(*[st.integers(1, 1000)] * 3),
    class_names=st.none() | st.lists(st.text(), min_size=1).map(tuple),
    remarks=st.lists(st.text()).map(tuple),
)
def test_what_is_encoded_comes_back(settings, input_size, class_names, remarks):
    made = contents(settings=settings, input_size=input_size, class_names=class_names, remarks=remarks)
    encoded = encode(made)
    assert is_own(encoded)
    assert decode("a.pt", encoded) == made


def test_the_fields_are_those_the_module_names():
    made = contents()
    assert encode(made) == {
        "format": "condmix-checkpoint",
        "version": 1,
        "architecture": "mixnet_digits",
        "settings": {"num_classes": 3},
        "state_dict": made.state_dict,
        "input_size": [1, 32, 32],
        "preprocessing": Preprocessing.default(1).to_dict(),
        "class_names": ["a", "b", "c"],
        "remarks": ["trained for a test"],
    }


def test_tuples_in_settings_become_lists():
    assert as_plain({"blocks": (1, (2, 3))}) == {"blocks": [1, [2, 3]]}


@pytest.mark.parametrize("content", [{"state_dict": {}}, {"format": "pt"}, [], None])
def test_other_files_are_not_ours(content):
    assert not is_own(content)


def test_what_is_no_plain_data_is_not_saved():
    with pytest.raises(CheckpointError) as caught:
        encode(
            contents(
                architecture="",
                settings={"width": float("nan"), "act": torch.nn.ReLU},
                state_dict={},
                input_size=(1, 0, 32),
                class_names=(),
                remarks=(3,),
            )
        )
    assert str(caught.value) == (
        "cannot be saved as a checkpoint: architecture is '', expected a name; settings is a dict, expected names "
        "with numbers, texts, lists of them or None; state_dict is a dict, expected names with tensors, at least "
        "one; input_size is [1, 0, 32], expected [channels, height, width], whole numbers above 0; class_names is "
        "[], expected texts or None; remarks is [3], expected texts"
    )


def test_every_damage_of_a_file_is_named():
    damaged = encode(contents())
    del damaged["class_names"]
    damaged["extra"] = 1
    damaged["input_size"] = (1, 32)
    damaged["preprocessing"] = {"mean": [0.5], "std": [0.0]}
    with pytest.raises(CheckpointError) as caught:
        decode("a.pt", damaged)
    assert str(caught.value) == (
        "a.pt: is a damaged checkpoint: unknown field 'extra'; input_size is (1, 32), expected [channels, height, "
        "width], whole numbers above 0; field 'class_names' is absent; preprocessing: std is (0.0,), expected above "
        "0; save it again"
    )


def test_a_preprocessing_that_is_none():
    damaged = {**encode(contents()), "preprocessing": 3}
    with pytest.raises(CheckpointError, match="preprocessing is 3, expected a dict; save it again"):
        decode("a.pt", damaged)


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_version_is_refused(version):
    with pytest.raises(CheckpointError) as caught:
        decode("a.pt", {**encode(contents()), "version": version})
    assert str(caught.value) == (
        f"a.pt: has version {version!r} of the checkpoint format, this condmix reads version 1; read it with the "
        "condmix that wrote it, or a newer one"
    )
