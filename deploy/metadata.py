"""What an exported file says about itself: only what follows from the input, so that its bytes do too."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import asdict

from condmix.deploy.minimum_runtime import minimum_runtime
from condmix.exporters.options import ExportOptions
from condmix.exporters.quantize.onnx.options import OnnxInt8Options
from condmix.exporters.quantize.tflite.options import TfliteInt8Options
from condmix.exporters.tflite.options import TfliteOptions
from condmix.models.network import LoadedNetwork
from condmix.runtime.machine_file import this_machine
from condmix.runtime.output_kind import METADATA_KEY, told_kinds
from condmix.runtime.tolerance import Tolerance


def condmix_version() -> str:
    """The version of the installed package."""
    return importlib.metadata.version("condmix")


def size_text(input_size: tuple[int, int, int], batch: int | None) -> str:
    """The input as it is spoken of: 1x3x224x224, or Nx3x224x224 for any number of images."""
    return "x".join(str(part) for part in ("N" if batch is None else batch, *input_size))


def metadata_of(
    network: LoadedNetwork, options: ExportOptions, tolerance: Tolerance | None, ir_version: int
) -> Mapping[str, str]:
    """The metadata properties of an ONNX file; records are JSON. Neither times nor paths are in it."""
    return _as_text(
        {
            **_of_any_file(network, options.batch, tolerance),
            "minimum_runtime": _runtime(options, ir_version),
            "created_by_options": asdict(options),
        }
    )


def _runtime(options: ExportOptions, ir_version: int) -> str:
    """The oldest runtime, or of a file that is laid out for one machine the only one."""
    if options.is_for_one_machine:
        return f"onnxruntime=={this_machine().runtime}"
    return minimum_runtime(ir_version, options.opset)


def tflite_metadata_of(
    network: LoadedNetwork, options: TfliteOptions, tolerance: Tolerance | None
) -> Mapping[str, str]:
    """The same of a TFLite file, with the layout of its input, which the format itself cannot say."""
    return _as_text(
        {
            **_of_any_file(network, options.batch, tolerance),
            "input_layout": options.layout.upper(),
            "created_by_options": asdict(options),
        }
    )


def int8_metadata_of(
    network: LoadedNetwork, options: OnnxInt8Options | TfliteInt8Options, layout: str, ir_version: int | None
) -> Mapping[str, str]:
    """The same of an int8 file of either format. ir_version: of an ONNX file."""
    own: dict[str, object] = {"input_layout": layout.upper()}
    if isinstance(options, OnnxInt8Options) and ir_version is not None:
        own = {"minimum_runtime": minimum_runtime(ir_version, options.opset)}
    return _as_text(
        {
            **_of_any_file(network, options.batch, None),
            **own,
            "precision": "int8",
            "created_by_options": {**asdict(options), "float_layers": sorted(options.float_layers)},
        }
    )


def _of_any_file(network: LoadedNetwork, batch: int | None, tolerance: Tolerance | None) -> dict[str, object]:
    return {
        "condmix_version": condmix_version(),
        "architecture": network.architecture,
        "settings": dict(network.settings),
        "source_file": None if network.source is None else network.source.name,
        "source_sha256": network.source_sha256,
        "input_size": size_text(network.input_size, batch),
        "preprocessing": network.preprocessing.to_dict(),
        "class_names": None if network.class_names is None else list(network.class_names),
        "tolerance": None if tolerance is None else tolerance.to_dict(),
        "detection": network.detection,
        METADATA_KEY: told_kinds(network.output_kinds) or None,
    }


def _as_text(entries: Mapping[str, object]) -> Mapping[str, str]:
    """What nobody knows is left out."""
    return {
        key: value if isinstance(value, str) else _json(value) for key, value in entries.items() if value is not None
    }


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
