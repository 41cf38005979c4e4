"""What an exported file says about itself: only what follows from the input, so that its bytes do too."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import asdict

from condmix.deploy.minimum_runtime import minimum_runtime
from condmix.exporters.options import ExportOptions
from condmix.models.network import LoadedNetwork
from condmix.runtime.tolerance import Tolerance


def condmix_version() -> str:
    """The version of the installed package."""
    return importlib.metadata.version("condmix")


def size_text(input_size: tuple[int, int, int], batch: int | None) -> str:
    """The input as it is spoken of: 1x3x224x224, or Nx3x224x224 for any number of images."""
    return "x".join(str(part) for part in ("N" if batch is None else batch, *input_size))


def metadata_of(
    network: LoadedNetwork, options: ExportOptions, tolerance: Tolerance, ir_version: int
) -> Mapping[str, str]:
    """The metadata properties of the file; records are JSON. Neither times nor paths are in it."""
    entries: dict[str, object] = {
        "condmix_version": condmix_version(),
        "architecture": network.architecture,
        "settings": dict(network.settings),
        "source_file": None if network.source is None else network.source.name,
        "source_sha256": network.source_sha256,
        "input_size": size_text(network.input_size, options.batch),
        "preprocessing": network.preprocessing.to_dict(),
        "class_names": None if network.class_names is None else list(network.class_names),
        "tolerance": tolerance.to_dict(),
        "minimum_runtime": minimum_runtime(ir_version, options.opset),
        "created_by_options": asdict(options),
    }
    return {
        key: value if isinstance(value, str) else _json(value) for key, value in entries.items() if value is not None
    }


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
