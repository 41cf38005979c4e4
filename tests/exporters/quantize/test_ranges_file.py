"""Ranges come back exactly as they were, and only for the network they were made for."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.errors import CalibrationError
from condmix.exporters.quantize.ranges import Range, Ranges
from condmix.exporters.quantize.ranges_file import FIELDS, NetworkFingerprint, from_text, to_text
from tests.exporters.conv_cases import exact_rule, seeds

NETWORK = NetworkFingerprint(source_sha256="a" * 64, values=("input", "relu", "logits"))


def ranges(seed: int = 0, *, names: tuple[str, ...] = NETWORK.values) -> Ranges:
    generator = np.random.default_rng(seed)
    ends = [Range.around(*generator.standard_normal(2) * 10.0 ** generator.integers(-20, 20)) for _ in range(9)]
    return Ranges(
        method="percentile 99.9",
        image_count=4,
        images_sha256="b" * 64,
        values=dict(zip(names, ends, strict=False)),
        inner={"tflite": {'relu/band "0"': ends[5], "größer": ends[6]}, "onnx": {}},
        routing={"sigmoid": generator.uniform(size=(4, 3)).astype(np.float32)},
        channel_means={"input": generator.standard_normal(3).astype(np.float32)},
    )


def same(one: Ranges, other: Ranges) -> bool:
    plain = ("method", "image_count", "images_sha256", "values", "inner")
    arrays = ("routing", "channel_means")
    return all(getattr(one, name) == getattr(other, name) for name in plain) and all(
        getattr(one, name).keys() == getattr(other, name).keys()
        and all(
            found.dtype == np.float32 and np.array_equal(found, getattr(one, name)[key])
            for key, found in getattr(other, name).items()
        )
        for name in arrays
    )


@exact_rule
@given(seeds)
def test_all_numbers_come_back_exactly(seed: int) -> None:
    before = ranges(seed)
    text = to_text(before, NETWORK)
    after = from_text(text, NETWORK)
    assert same(before, after)
    assert to_text(after, NETWORK) == text


@exact_rule
@given(st.floats(allow_nan=False, allow_infinity=False, width=32, min_value=-(2.0**127), max_value=2.0**127))
def test_float32_numbers_are_written_shortly_and_come_back(number: float) -> None:
    before = ranges()
    before.channel_means["input"][0] = number  # type: ignore[index]
    text = to_text(before, NETWORK)
    assert same(before, from_text(text, NETWORK))
    written = json.loads(text)["channel_means"]["input"][0]
    assert len(repr(written).lstrip("-").replace(".", "").split("e")[0].strip("0")) <= 9


def test_the_text_has_a_value_a_line_and_ends_with_one() -> None:
    lines = to_text(ranges(), NETWORK).splitlines(keepends=True)
    assert lines[0] == "{\n"
    assert lines[1] == '  "schema_version": 1,\n'
    assert sum(line.lstrip().startswith(('"input": [', '"relu": [', '"logits": [')) for line in lines) == 4
    assert lines[-1] == "}\n"


def test_the_order_of_values_does_not_matter() -> None:
    found = from_text(
        to_text(ranges(), NETWORK), NetworkFingerprint(source_sha256="a" * 64, values=NETWORK.values[::-1])
    )
    assert set(found.values) == set(NETWORK.values)


def test_other_weights_are_refused() -> None:
    with pytest.raises(CalibrationError) as caught:
        from_text(to_text(ranges(), NETWORK), NetworkFingerprint(source_sha256="c" * 64, values=NETWORK.values))
    assert str(caught.value) == (
        "these ranges belong to another network, or to another version of condmix: calibrate again\n"
        "  - they were made from weights with sha256 aaaaaaaaaaaa..., this network's have cccccccccccc..."
    )


def test_other_values_are_named() -> None:
    other = NetworkFingerprint(source_sha256=None, values=("input", "v1", "v2", "v3", "v4", "v5"))
    with pytest.raises(CalibrationError) as caught:
        from_text(to_text(ranges(), NETWORK), other)
    assert str(caught.value).splitlines()[1:] == [
        "  - they were made from weights with sha256 aaaaaaaaaaaa..., this network's have unknown (no file)",
        "  - without a range: 'v1', 'v2', 'v3' and 2 more; not in the network: 'relu', 'logits'",
    ]


def test_ranges_of_other_values_are_not_written() -> None:
    with pytest.raises(CalibrationError, match="cannot be saved for this network: without a range: 'logits'"):
        to_text(ranges(names=("input", "relu")), NETWORK)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is not JSON: Expecting value"),
        ('{"kind": "condmix-ranges", ', "is not JSON: "),
        ("[1]", "is of kind 'list': expected 'condmix-ranges'"),
        ('{"kind": "condmix-export"}', "is of kind 'condmix-export': expected 'condmix-ranges'"),
        ('{"kind": "condmix-ranges", "schema_version": 7}', "has schema_version 7: expected 1"),
        ("[" * 100_000, "is not JSON: "),
    ],
)
def test_another_file_is_refused(text: str, problem: str) -> None:
    with pytest.raises(CalibrationError) as caught:
        from_text(text, NETWORK)
    assert str(caught.value).startswith(f"the saved ranges cannot be used:\n  - {problem}")


def damaged(**changes: object) -> str:
    record: dict[str, Any] = json.loads(to_text(ranges(), NETWORK))
    record.update(changes)
    return json.dumps(record)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"method": 3}, "method is 3: expected a text"),
        ({"images_sha256": None}, "images_sha256 is None: expected a text"),
        ({"source_sha256": 5}, "source_sha256 is 5: expected a text"),
        ({"image_count": True}, "image_count is True: expected a whole number of at least 1"),
        ({"image_count": 5}, "routing['sigmoid'] has 4 rows: expected one an image, 5"),
        ({"values": []}, "values is a list: expected an object"),
        ({"values": {"input": [1]}}, "values['input'] is [1]: expected two numbers, [low, high]"),
        ({"values": {"input": [False, 1]}}, "values['input'] is [False, 1]: expected two numbers, [low, high]"),
        ({"values": {"input": [1, 2]}}, "values['input']: a range from 1.0 to 2.0: expected finite ends around zero"),
        ({"inner": {"onnx": 3}}, "inner.onnx is a int: expected an object"),
        ({"inner": 3}, "inner is a int: expected an object"),
        ({"routing": {"r": [[1, 2], [3]]}}, "routing['r']: expected rows of equally many finite numbers"),
        ({"routing": {"r": []}}, "routing['r']: expected rows of equally many finite numbers"),
        ({"routing": {"r": [["a"]]}}, "routing['r']: expected rows of equally many finite numbers"),
        ({"channel_means": {"x": [float("nan")]}}, "channel_means['x']: expected a row of finite numbers"),
        ({"channel_means": {"x": 1.0}}, "channel_means['x']: expected a row of finite numbers"),
        ({"colour": 1}, "unknown field 'colour'"),
    ],
)
def test_every_damage_is_named(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(CalibrationError) as caught:
        from_text(damaged(**changes), NETWORK)
    assert f"  - {problem}" in str(caught.value).splitlines()


@pytest.mark.parametrize("field", [name for name in FIELDS if name not in ("kind", "schema_version")])
def test_an_absent_field_is_named(field: str) -> None:
    record = json.loads(to_text(ranges(), NETWORK))
    del record[field]
    with pytest.raises(CalibrationError, match=f"field '{field}' is absent"):
        from_text(json.dumps(record), NETWORK)


def test_all_damages_are_named_at_once() -> None:
    with pytest.raises(CalibrationError) as caught:
        from_text(damaged(method=1, inner=2, channel_means={"x": []}), NETWORK)
    assert len(str(caught.value).splitlines()) == 4
