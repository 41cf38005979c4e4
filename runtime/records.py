"""Reading a record from a plain dictionary: every key known, every value of its type, or all faults told."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from condmix.runtime.errors import InvalidRecordError

SCHEMA_VERSION_KEY = "schema_version"


def unknown_name(name: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    """One line that refuses `name` and offers the nearest known one, or all of them."""
    nearest = difflib.get_close_matches(name, tuple(known), n=1)
    listed = ", ".join(map(repr, known)) or "none"
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"known are {listed}"
    return f"unknown name {name!r}: {hint}"


def read_fields(
    data: object,
    *,
    record: str,
    fields: Mapping[str, type | tuple[type, ...]],
    schema_version: int | None,
) -> dict[str, object]:
    """The values of `data`, exactly the `fields`, each an instance of its declared type.

    `schema_version` None means that the record is a part of another one and carries no version itself.
    Whole numbers are accepted where a float is declared; a bool is never a number.

    Raises InvalidRecordError with one line for every unknown key, missing key, wrong type or wrong version.
    """
    if not isinstance(data, Mapping):
        raise InvalidRecordError([f"expected a mapping, found {type(data).__name__}"], record=record)
    expected = dict(fields)
    if schema_version is not None:
        expected[SCHEMA_VERSION_KEY] = int
    problems = [unknown_name(str(key), expected) for key in data if key not in expected]
    problems += [f"{key!r} is missing" for key in expected if key not in data]
    values: dict[str, object] = {}
    for key, wanted in expected.items():
        if key not in data:
            continue
        value = data[key]
        allowed = wanted if isinstance(wanted, tuple) else (wanted,)
        if float in allowed and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
            names = " or ".join("null" if one is type(None) else one.__name__ for one in allowed)
            problems.append(f"{key!r} must be {names}, found {value!r}")
        values[key] = value
    found_version = values.pop(SCHEMA_VERSION_KEY, None)
    if schema_version is not None and isinstance(found_version, int) and found_version != schema_version:
        problems.append(
            f"{SCHEMA_VERSION_KEY!r} is {found_version}, this condmix reads {schema_version}: "
            "write the record again with this version"
        )
    if problems:
        raise InvalidRecordError(problems, record=record)
    return values
