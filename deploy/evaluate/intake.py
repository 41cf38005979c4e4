"""What a model file says of its input: the size of an image, what happens to a picture before, and its classes."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from condmix.models.errors import SettingsError
from condmix.models.preprocessing import InputSize, Preprocessing
from condmix.runtime.artifact import Format
from condmix.runtime.errors import EngineMissingError, ModelUnreadableError, describe_place, one_line
from condmix.runtime.signature import Signature

_SIZE = re.compile(r"(?:N|\d+)x(\d+)x(\d+)x(\d+)")
_CHANNELS = (1, 3)


@dataclass(frozen=True, kw_only=True)
class Intake:
    """A `NetworkInput`. says_preprocessing: the file does; else it is the usual one, which may be wrong."""

    input_size: InputSize
    preprocessing: Preprocessing
    says_preprocessing: bool
    class_names: tuple[str, ...] | None

    def facts(self) -> dict[str, object]:
        """What a result depends on, as plain data."""
        return {"input_size": list(self.input_size), "preprocessing": self.preprocessing.to_dict()}


def intake_of(metadata: Mapping[str, str], signature: Signature) -> Intake | str:
    """What the file's own metadata say, and else its signature; or why its input is no image of a known size."""
    if len(signature.inputs) != 1:
        listed = ", ".join(spec.name for spec in signature.inputs)
        return f"it has {len(signature.inputs)} inputs ({listed}): expected one, for images"
    size = _stated_size(metadata.get("input_size", "")) or _size_of(signature)
    if isinstance(size, str):
        return size
    stated = _json(metadata.get("preprocessing"))
    preprocessing = Preprocessing.default(size[0])
    if isinstance(stated, Mapping):
        try:
            preprocessing = Preprocessing.from_dict(stated)
        except (SettingsError, TypeError) as error:
            return f"its metadata hold a preprocessing that is not understood: {one_line(error)}; export it again"
    names = _json(metadata.get("class_names"))
    return Intake(
        input_size=size,
        preprocessing=preprocessing,
        says_preprocessing=isinstance(stated, Mapping),
        class_names=tuple(map(str, names)) if isinstance(names, list) else None,
    )


def metadata_of(path: Path, format: Format) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """What the file says of itself, and the names of the files beside it that hold its weights.

    Raises ModelUnreadableError, EngineMissingError.
    """
    if format is Format.ONNX:
        return _onnx_metadata(path)
    from condmix.deploy.tflite_inspection import tflite_metadata

    return tflite_metadata(path.read_bytes()), ()


def _onnx_metadata(path: Path) -> tuple[Mapping[str, str], tuple[str, ...]]:
    try:
        onnx = importlib.import_module("onnx")
        decode_error = importlib.import_module("google.protobuf.message").DecodeError
    except ImportError as error:
        package = "onnx"
        raise EngineMissingError(package, "export", one_line(error)) from error
    try:
        model = onnx.load(path, load_external_data=False)
    except (OSError, decode_error) as error:
        raise ModelUnreadableError(
            describe_place(path), one_line(error), "Copy it again, or export it again."
        ) from error
    return {entry.key: entry.value for entry in model.metadata_props}, tuple(sorted(_weight_files(model.graph, onnx)))


def _weight_files(graph: object, onnx: object) -> set[str]:
    """Locations of all tensors that are kept apart, those of inner graphs and attributes too."""
    external = onnx.TensorProto.EXTERNAL  # type: ignore[attr-defined]  # protobuf classes are made at run time
    tensors = list(graph.initializer)  # type: ignore[attr-defined]
    found: set[str] = set()
    for node in graph.node:  # type: ignore[attr-defined]
        for attribute in node.attribute:
            tensors += [attribute.t, *attribute.tensors]
            inner = [attribute.g] if attribute.HasField("g") else []
            for one in (*inner, *attribute.graphs):
                found |= _weight_files(one, onnx)
    for tensor in tensors:
        if tensor.data_location == external:
            found |= {entry.value for entry in tensor.external_data if entry.key == "location"}
    return found


def _stated_size(text: str) -> InputSize | None:
    found = _SIZE.fullmatch(text)
    return None if found is None else (int(found[1]), int(found[2]), int(found[3]))


def _size_of(signature: Signature) -> InputSize | str:
    """Of a file that is not ours: an axis of 1 or 3 beside the batch is that of the channels."""
    shape = signature.inputs[0].shape
    lengths = [length for length in shape[1:] if isinstance(length, int)]
    if len(shape) != 4 or len(lengths) != 3:
        listed = ", ".join(map(str, shape))
        return f"its input is ({listed}): expected (images, channels, height, width) with a fixed size of an image"
    if lengths[0] in _CHANNELS:
        return lengths[0], lengths[1], lengths[2]
    if lengths[2] in _CHANNELS:
        return lengths[2], lengths[0], lengths[1]
    return f"its input is {tuple(shape)}: no axis has the 1 or 3 channels of a picture"


def _json(text: str | None) -> object:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return None
