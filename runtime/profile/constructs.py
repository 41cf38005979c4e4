"""Which modules are CondConv and MixConv, from the record that an export leaves beside its files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from condmix.runtime.artifact import Format


def constructs_of(record: Mapping[str, object] | None, format: Format) -> dict[str, str]:
    """Module path -> construct, of the recognised layers of the file of that format.

    A record of another shape tells nothing; that is no fault, since a file needs none to be profiled.
    """
    return {
        path: kind
        for layer in _layers(record, format)
        if layer.get("recognised") is True
        and isinstance(path := layer.get("path"), str)
        and isinstance(kind := layer.get("kind"), str)
    }


def _layers(record: Mapping[str, object] | None, format: Format) -> Iterator[Mapping[str, object]]:
    for file in _mappings((record or {}).get("artifacts")):
        artifact = file.get("artifact")
        if isinstance(artifact, Mapping) and artifact.get("format") == str(format):
            yield from _mappings(file.get("layers"))


def _mappings(value: object) -> Iterator[Mapping[str, object]]:
    if isinstance(value, list | tuple):
        yield from (one for one in value if isinstance(one, Mapping))
