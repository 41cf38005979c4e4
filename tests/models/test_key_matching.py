"""Tests of condmix.models.key_matching."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from condmix.models.errors import KeyMismatchError
from condmix.models.key_matching import compare, is_counter, require_fit

NAMES = st.lists(st.text("abc.", min_size=1, max_size=6), unique=True, max_size=8)


def tensors(*names: str) -> dict[str, Tensor]:
    return {name: torch.ones(2) for name in names}


@given(shared=NAMES, dropped=NAMES, added=NAMES)
def test_the_differences_are_exactly_the_set_differences(shared, dropped, added):
    needed, found = tensors(*shared, *dropped), tensors(*shared, *added)
    result = compare(needed, found)
    assert set(result.missing) == set(needed) - set(found)
    assert set(result.unexpected) == set(found) - set(needed)
    assert result.misshapen == ()
    assert result.fits == (set(needed) == set(found))


def test_shape_and_kind_of_number_matter_and_precision_does_not():
    needed = {"shape": torch.ones(2, 3), "kind": torch.ones(2), "precision": torch.ones(2)}
    found = {"shape": torch.ones(3, 2), "kind": torch.ones(2, dtype=torch.int64), "precision": torch.ones(2).half()}
    assert compare(needed, found).misshapen == ("shape", "kind")


def test_a_step_counter_may_be_missing_but_not_be_invented():
    assert compare(tensors("bn.weight", "bn.num_batches_tracked"), tensors("bn.weight")).fits
    assert compare(tensors("bn.weight"), tensors("bn.weight", "bn.num_batches_tracked")).unexpected == (
        "bn.num_batches_tracked",
    )
    assert is_counter("a.num_batches_tracked")
    assert is_counter("num_batches_tracked")
    assert not is_counter("a.num_batches_tracked.weight")


def test_what_fits_passes_and_the_next_step_is_not_asked():
    def costly() -> str:
        pytest.fail("asked for a next step nobody needs")

    require_fit("a.pt", "net", tensors("a"), tensors("a"), costly)


def test_all_differences_stand_in_one_message():
    needed = {**tensors("head.weight", "head.bias", "body.weight"), "stem.weight": torch.ones(16, 3, 3, 3)}
    found = {**tensors("body.weight", "heads.weight", "zzz"), "stem.weight": torch.ones(16, 1, 3, 3).half()}
    with pytest.raises(KeyMismatchError) as caught:
        require_fit("a.pt", "net", needed, found, lambda: "Do this")
    assert str(caught.value) == "\n".join(
        [
            "a.pt: the tensors do not fit net: of the 4 it needs 2 are missing and 1 have another shape or type; "
            "2 of the file's 4 have no place in it",
            "  missing:",
            "    head.weight (nearest in the file: heads.weight)",
            "    head.bias",
            "  another shape or type:",
            "    stem.weight: the network has (16, 3, 3, 3) float32, the file (16, 1, 3, 3) float16",
            "  without a place:",
            "    heads.weight (nearest needed: head.weight)",
            "    zzz",
            "Nothing was loaded. Do this",
        ]
    )
    assert caught.value.missing == ("head.weight", "head.bias")
    assert caught.value.unexpected == ("heads.weight", "zzz")
    assert caught.value.misshapen == ("stem.weight",)


def test_a_long_list_is_cut_and_counted():
    with pytest.raises(KeyMismatchError) as caught:
        require_fit("a.pt", "net", tensors(*map(str, range(100, 120))), tensors("x"), lambda: "")
    lines = str(caught.value).splitlines()
    assert "of the 20 it needs 20 are missing" in lines[0]
    assert lines[9] == "    107"
    assert lines[10] == "    and 12 more"
    assert len(caught.value.missing) == 20
