"""What has to be the same wherever a shard is measured, and the words for the machine that did."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence

from condmix.runtime.artifact import Format
from condmix.runtime.cpu import read_cpu_facts

ENGINE_PACKAGES = {Format.ONNX: "onnxruntime", Format.TFLITE: "ai-edge-litert"}
ALWAYS = ("condmix", "numpy", "pillow")
"""Pillow resizes pictures; numpy sums what is compared."""


def installed_versions(packages: Sequence[str]) -> dict[str, str]:
    """package -> version, of those that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def machine_words() -> str:
    """The CPU with its instruction sets: on another one engines may round the last bit otherwise."""
    cpu = read_cpu_facts()
    name = ", ".join(cpu.model_names) or cpu.architecture
    return f"{name} ({', '.join(cpu.features) or cpu.architecture})"
