import pytest

from condmix.runtime.errors import InvalidRecordError
from condmix.runtime.records import read_fields, unknown_name

FIELDS: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "count": int,
    "share": float,
    "parent": (str, type(None)),
}
GOOD = {"name": "a", "count": 2, "share": 0.5, "parent": None}


def test_good_values_come_back_as_they_are():
    assert read_fields(GOOD, record="Thing", fields=FIELDS, schema_version=None) == GOOD


def test_a_whole_number_serves_as_a_float():
    values = read_fields({**GOOD, "share": 1}, record="Thing", fields=FIELDS, schema_version=None)
    assert values["share"] == 1.0
    assert isinstance(values["share"], float)


def test_the_version_is_read_and_taken_out():
    values = read_fields({**GOOD, "schema_version": 3}, record="Thing", fields=FIELDS, schema_version=3)
    assert values == GOOD


def test_all_faults_are_told_at_once():
    data = {"nmae": "a", "count": True, "share": "x", "parent": 4, "schema_version": 2}
    with pytest.raises(InvalidRecordError) as caught:
        read_fields(data, record="Thing", fields=FIELDS, schema_version=1)
    assert caught.value.problems == (
        "unknown name 'nmae': did you mean 'name'?",
        "'name' is missing",
        "'count' must be int, found True",
        "'share' must be float, found 'x'",
        "'parent' must be str or null, found 4",
        "'schema_version' is 2, this condmix reads 1: write the record again with this version",
    )


def test_a_part_of_a_record_carries_no_version():
    with pytest.raises(InvalidRecordError, match="unknown name 'schema_version'"):
        read_fields({**GOOD, "schema_version": 1}, record="Thing", fields=FIELDS, schema_version=None)


def test_a_version_that_is_missing_is_a_fault():
    with pytest.raises(InvalidRecordError, match="'schema_version' is missing"):
        read_fields(GOOD, record="Thing", fields=FIELDS, schema_version=1)


def test_something_else_than_a_mapping_is_refused():
    with pytest.raises(InvalidRecordError, match="expected a mapping, found list"):
        read_fields([1], record="Thing", fields=FIELDS, schema_version=None)


def test_an_unknown_name_without_a_near_one_lists_all():
    assert unknown_name("zzz", ("images", "mask")) == "unknown name 'zzz': known are 'images', 'mask'"
    assert unknown_name("zzz", ()) == "unknown name 'zzz': known are none"
