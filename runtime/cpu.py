"""What is known about the machine that a measurement was made on, without starting a process."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from condmix.runtime.errors import InvalidRecordError, InvalidSettingError
from condmix.runtime.records import read_fields

SCHEMA_VERSION = 1
CPUINFO = Path("/proc/cpuinfo")
_VERSIONED_PACKAGES = ("numpy", "onnxruntime", "ai-edge-litert")

# The kernel's word for a feature -> the name under which engines speak of it. The order is that of reports.
_FEATURE_NAMES = {
    # x86
    "sse4_1": "SSE4.1",
    "avx": "AVX",
    "f16c": "F16C",
    "fma": "FMA",
    "avx2": "AVX2",
    "avx_vnni": "AVX-VNNI",
    "avx512f": "AVX-512F",
    "avx512bw": "AVX-512BW",
    "avx512_vnni": "AVX-512-VNNI",
    "avx512_bf16": "AVX-512-BF16",
    "amx_tile": "AMX-TILE",
    "amx_int8": "AMX-INT8",
    "amx_bf16": "AMX-BF16",
    # Arm, 32 and 64 bits
    "neon": "NEON",
    "asimd": "ASIMD",
    "asimdhp": "FP16",
    "asimddp": "dotprod",
    "i8mm": "I8MM",
    "bf16": "BF16",
    "sve": "SVE",
    "sve2": "SVE2",
    "sme": "SME",
}
# Without one of these a sum of byte products may saturate: int8 results of such a machine are its own.
_INT8_DOT_PRODUCTS = frozenset({"AVX-VNNI", "AVX-512-VNNI", "AMX-INT8", "dotprod", "I8MM"})


@dataclass(frozen=True, kw_only=True)
class CpuFacts:
    """One machine, as it describes itself; None and empty where it does not say.

    model_names: one for each kind of core, in order; on Arm without names, implementer and part.
    features: instruction sets that every core has.
    logical_cores: of the machine. usable_cores: those this process may run on.
    versions: (name, version) of the interpreter and of the installed packages that matter here.
    """

    architecture: str
    system: str
    model_names: tuple[str, ...]
    features: tuple[str, ...]
    logical_cores: int | None
    usable_cores: int | None
    versions: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.features) - set(_FEATURE_NAMES.values())):
            raise InvalidSettingError([f"features has unknown names {unknown}"], record="CpuFacts")

    @property
    def has_int8_dot_product(self) -> bool:
        """Some instruction multiplies bytes and sums them exactly."""
        return not _INT8_DOT_PRODUCTS.isdisjoint(self.features)

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "architecture": self.architecture,
            "system": self.system,
            "model_names": list(self.model_names),
            "features": list(self.features),
            "has_int8_dot_product": self.has_int8_dot_product,
            "logical_cores": self.logical_cores,
            "usable_cores": self.usable_cores,
            "versions": dict(self.versions),
        }

    @classmethod
    def from_dict(cls, data: object) -> CpuFacts:
        """The record written by `to_dict`. Raises InvalidRecordError or InvalidSettingError."""
        fields: dict[str, type | tuple[type, ...]] = {
            "architecture": str,
            "system": str,
            "model_names": (list, tuple),
            "features": (list, tuple),
            "has_int8_dot_product": bool,
            "logical_cores": (int, type(None)),
            "usable_cores": (int, type(None)),
            "versions": dict,
        }
        values = read_fields(data, record="CpuFacts", fields=fields, schema_version=SCHEMA_VERSION)
        texts = {key: tuple(cast("list[str]", values[key])) for key in ("model_names", "features")}
        versions = tuple(cast("dict[str, str]", values["versions"]).items())
        problems = [
            f"{key!r} must hold str only, found {one!r}"
            for key, found in {**texts, "versions": tuple(text for pair in versions for text in pair)}.items()
            for one in found
            if not isinstance(one, str)
        ]
        if problems:
            raise InvalidRecordError(problems, record="CpuFacts")
        # The derived value is not stored: it follows from the features.
        return cls(
            architecture=cast(str, values["architecture"]),
            system=cast(str, values["system"]),
            model_names=texts["model_names"],
            features=texts["features"],
            logical_cores=cast("int | None", values["logical_cores"]),
            usable_cores=cast("int | None", values["usable_cores"]),
            versions=versions,
        )


def read_cpu_facts(cpuinfo: Path = CPUINFO) -> CpuFacts:
    """The facts of this machine; without a readable `cpuinfo` the names and features stay empty."""
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    model_names, features = parse_cpuinfo(text)
    return CpuFacts(
        architecture=platform.machine(),
        system=f"{platform.system()} {platform.release()}",
        model_names=model_names,
        features=features,
        logical_cores=os.cpu_count(),
        usable_cores=_usable_cores(),
        versions=(("python", platform.python_version()), *_installed_versions()),
    )


def parse_cpuinfo(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The model names and the features common to all cores, from the text of /proc/cpuinfo of x86 or Arm."""
    names: dict[str, None] = {}
    common: set[str] | None = None
    for block in text.split("\n\n"):
        entries = dict(_entry(line) for line in block.splitlines() if ":" in line)
        name = entries.get("model name") or _arm_part(entries)
        if name:
            names[name] = None
        # One word list for each core: "flags" on x86, "Features" on Arm.
        words = entries.get("flags", entries.get("features"))
        if words is not None:
            common = set(words.split()) if common is None else common & set(words.split())
    features = tuple(name for word, name in _FEATURE_NAMES.items() if word in (common or ()))
    return tuple(names), features


def _entry(line: str) -> tuple[str, str]:
    key, _, value = line.partition(":")
    return key.strip().lower(), value.strip()


def _arm_part(entries: dict[str, str]) -> str | None:
    if "cpu part" not in entries:
        return None
    return f"implementer {entries.get('cpu implementer', 'unknown')} part {entries['cpu part']}"


def _usable_cores() -> int | None:
    # Linux only; elsewhere the system does not tell.
    affinity = getattr(os, "sched_getaffinity", None)
    return None if affinity is None else len(affinity(0))


def _installed_versions() -> list[tuple[str, str]]:
    """From the metadata of the installation, so that no engine is imported."""
    found = []
    for package in _VERSIONED_PACKAGES:
        try:
            found.append((package, importlib.metadata.version(package)))
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
