"""Settings of the kernels: what fits together, what has no effect, and which blocks are meant."""

import dataclasses

import pytest

from condmix.models.errors import SettingsError
from condmix.models.kernel_settings import CondConvSettings, EitherSettings, MixSettings
from condmix.models.settings import with_changes


@dataclasses.dataclass(frozen=True, kw_only=True)
class FourBlocks(EitherSettings):
    def block_count(self) -> int:
        return 4

    def paper_blocks(self) -> tuple[int, ...]:
        return (2, 3)


def test_the_papers_blocks_are_condconv_unless_others_are_named() -> None:
    assert [FourBlocks(experts=5).experts_of(block) for block in range(4)] == [None, None, 5, 5]
    named = FourBlocks(experts=5, condconv_blocks=(0,))
    assert [named.experts_of(block) for block in range(4)] == [5, None, None, None]
    none = FourBlocks(condconv_blocks=())
    assert [none.experts_of(block) for block in range(4)] == [None] * 4


def test_lists_as_in_json_serve_as_blocks() -> None:
    changed = with_changes(FourBlocks(), {"condconv_blocks": [1, 3]}, "settings")
    assert changed.condconv_blocks == (1, 3)


def test_blocks_that_are_not_there_are_all_named() -> None:
    with pytest.raises(SettingsError) as caught:
        FourBlocks(condconv_blocks=(0, 4, -1, 0), experts=0, mix_groups=6)
    assert caught.value.problems == (
        "experts is 0, expected at least 1",
        "condconv_blocks names [4, -1], expected indices from 0 to 3",
        "condconv_blocks is (0, 4, -1, 0), expected each index once",
        "mix_groups is 6, expected 1 to 5",
    )


@pytest.mark.parametrize("value", ["3", [1.5], 3])
def test_blocks_that_are_no_numbers_are_an_error(value: object) -> None:
    with pytest.raises(SettingsError, match="expected a list of whole numbers or None"):
        with_changes(FourBlocks(), {"condconv_blocks": value}, "settings")


def test_kernels_that_the_family_lacks_are_an_error() -> None:
    with pytest.raises(SettingsError, match="kernels is 'mixconv', expected 'condconv' or 'static'"):
        CondConvSettings(kernels="mixconv")
    with pytest.raises(SettingsError, match="kernels is 'condconv', expected 'mixconv' or 'static'"):
        MixSettings(kernels="condconv")


def test_a_word_outside_the_choice_is_an_error_that_lists_it() -> None:
    with pytest.raises(SettingsError, match="routing_scope is 'net', expected one of 'block', 'layer'"):
        with_changes(FourBlocks(), {"routing_scope": "net"}, "settings")


def test_choices_without_effect_are_an_error_naming_both_fields() -> None:
    with pytest.raises(SettingsError) as caught:
        with_changes(FourBlocks(), {"kernels": "static", "experts": 4, "mix_groups": 2}, "settings")
    assert caught.value.problems == (
        "experts has no effect with kernels = 'static': leave one of them out",
        "mix_groups has no effect with kernels = 'static': leave one of them out",
    )
    with pytest.raises(SettingsError, match="mix_partition has no effect with kernels = 'condconv'"):
        with_changes(FourBlocks(), {"mix_partition": "exponential"}, "settings")


def test_only_mixconv_mixes_depthwise_kernels() -> None:
    assert FourBlocks(kernels="mixconv", mix_groups=4).depthwise_kernels() == (3, 5, 7, 9)
    assert FourBlocks(kernels="static").depthwise_kernels() == (3,)


def test_only_condconv_has_a_condconv_classifier() -> None:
    assert FourBlocks(condconv_classifier=True).classifier_experts() == 8
    assert FourBlocks(condconv_classifier=True, kernels="static").classifier_experts() is None
    assert FourBlocks().classifier_experts() is None
