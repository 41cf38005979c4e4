"""The manifest as bytes, and back: JSON from anybody is read with suspicion."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from condmix.runtime.bundle.errors import InvalidManifestError, MemberProblem
from condmix.runtime.bundle.manifest import MANIFEST_NAME, Manifest
from condmix.runtime.errors import InvalidRecordError, InvalidSettingError, one_line


def manifest_bytes(manifest: Manifest) -> bytes:
    """The same bytes for the same manifest."""
    text = json.dumps(manifest.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def parse_manifest(content: bytes, place: Path) -> Manifest:
    """The manifest in the bytes. Raises InvalidManifestError with everything that is wrong."""
    try:
        data = json.loads(content.decode("utf-8"), object_pairs_hook=_once, parse_constant=_refuse_constant)
        return Manifest.from_dict(data)
    except (InvalidRecordError, InvalidSettingError) as error:
        texts = [f"{error.record}: {problem}" for problem in error.problems]
        raise _invalid(place, texts) from error
    except RecursionError as error:
        raise _invalid(place, ["it is nested too deeply"]) from error
    except ValueError as error:
        raise _invalid(place, [f"it is not JSON: {one_line(error)[:200]}"]) from error


def _invalid(place: Path, texts: Sequence[str]) -> InvalidManifestError:
    return InvalidManifestError(place, [MemberProblem(member=MANIFEST_NAME, text=text[:500]) for text in texts])


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            text = f"the key {key!r} is there twice"
            raise ValueError(text)
        found[key] = value
    return found


def _refuse_constant(word: str) -> NoReturn:
    text = f"{word} is no number of JSON"
    raise ValueError(text)
