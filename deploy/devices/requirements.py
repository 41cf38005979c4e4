"""Which packages a device needs for an engine, and whether there are any for it: by its architecture, libc, Python."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass

from condmix.deploy.devices.device import DeviceFacts
from condmix.deploy.devices.errors import DeviceError
from condmix.runtime.bench.subject import LITERT, ONNXRUNTIME

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 13)
ARCHITECTURES = ("aarch64", "x86_64", "armv7l")
LARGEST_CLOCK_ERROR_SECONDS = 3600.0
TFLITE_RUNTIME = "tflite-runtime==2.14.0"
_OLDEST_TAG, _TAGGED_GLIBC = 17, 2
# ONNX Runtime's wheels say what they need. LiteRT's say 2.27 and need symbols of 2.34.
_GLIBC = {ONNXRUNTIME: (2, 28), LITERT: (2, 34)}
_PACKAGES = {ONNXRUNTIME: "onnxruntime", LITERT: "ai-edge-litert"}


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """What is to be fetched for a device.

    packages: requirements, in pip's words. tags: of the wheels that run there, the newest first.
    stand_in: tflite-runtime is to be found under the name of LiteRT, which has no wheel there.
    """

    packages: tuple[str, ...]
    python_version: tuple[int, int]
    tags: tuple[str, ...]
    with_dependencies: bool = True
    stand_in: bool = False


def check_device(device: str, facts: DeviceFacts, *, now: float, expected_architecture: str | None = None) -> None:
    """Raises DeviceError when no engine could be brought there, or its clock is wrong; the first reason decides."""
    if expected_architecture is not None and facts.architecture != expected_architecture:
        raise DeviceError(
            device,
            "probe",
            f"its programs are {facts.architecture}",
            "Correct the fleet file, or the address: this is another machine than was meant.",
            expected=expected_architecture,
        )
    if facts.architecture not in ARCHITECTURES or not facts.system.startswith("Linux"):
        raise DeviceError(
            device,
            "probe",
            f"it is {facts.architecture} on {facts.system}",
            "No engine has wheels for it: build the engine there, and run the file of condmix bench --write-runner.",
            expected=f"Linux on {', '.join(ARCHITECTURES)}",
        )
    if facts.libc != "glibc":
        raise DeviceError(
            device,
            "probe",
            f"its C library is {facts.libc or 'not glibc'}",
            "Use a system with glibc, such as Debian or Raspberry Pi OS, or a container of it.",
            expected="glibc",
        )
    version = facts.python_version[:2]
    if not OLDEST_PYTHON <= version <= NEWEST_PYTHON or facts.implementation != "CPython":
        raise DeviceError(
            device,
            "probe",
            f"its newest usable interpreter is {facts.implementation} {'.'.join(map(str, facts.python_version))}",
            "Install python3.11 there (Debian 12 and Raspberry Pi OS 12 have it).",
            expected="CPython {}.{} to {}.{}".format(*OLDEST_PYTHON, *NEWEST_PYTHON),
        )
    if abs(facts.clock - now) > LARGEST_CLOCK_ERROR_SECONDS:
        hours = (facts.clock - now) / 3600
        raise DeviceError(
            device,
            "probe",
            f"its clock is {abs(hours):.1f} hours {'ahead' if hours > 0 else 'behind'}",
            f"Set it, with `sudo date -u -s @{now:.0f}` there, or let it reach a time server.",
            expected="the time of this machine, to the hour",
        )


def requirements(device: str, facts: DeviceFacts, engines: Sequence[str]) -> Requirements:
    """What the engines need there. Raises DeviceError where an engine has no wheel that could run."""
    minor = int([*facts.libc_version.split("."), "0"][1])
    tags = tuple(f"manylinux_2_{one}_{facts.architecture}" for one in range(minor, _OLDEST_TAG - 1, -1))
    python_version = (facts.python_version[0], facts.python_version[1])
    if facts.architecture == "armv7l":
        return _for_armv7(device, facts, engines, tags, python_version)
    for engine in engines:
        if (2, minor) < _GLIBC[engine]:
            raise DeviceError(
                device,
                "packages",
                f"its glibc is {facts.libc_version}",
                "Use a newer system there, such as Debian 12.",
                expected="{}.{} or newer for {}".format(*_GLIBC[engine], _PACKAGES[engine]),
            )
    legacy = (f"manylinux2014_{facts.architecture}",)
    packages = tuple(_pinned(_PACKAGES[engine]) for engine in engines)
    return Requirements(packages=packages, python_version=python_version, tags=tags + legacy)


def _for_armv7(
    device: str, facts: DeviceFacts, engines: Sequence[str], tags: tuple[str, ...], python_version: tuple[int, int]
) -> Requirements:
    """tflite-runtime is the one engine with wheels for 32 bits, and it wants the board's own numpy, below 2."""
    if ONNXRUNTIME in engines:
        raise DeviceError(
            device,
            "packages",
            "its programs have 32 bits, for which there is no onnxruntime",
            "Measure the .tflite files there, or use a 64-bit system on it.",
        )
    if python_version != (3, 11):
        raise DeviceError(
            device,
            "packages",
            f"its Python is {'.'.join(map(str, facts.python_version))}",
            "Install python3.11 there.",
            expected="3.11, the last that tflite-runtime has wheels for",
        )
    if facts.numpy is None or int(facts.numpy.partition(".")[0]) >= 2:
        raise DeviceError(
            device,
            "packages",
            f"its numpy is {facts.numpy or 'missing'}",
            "Install it there: sudo apt-get install python3-numpy (there are no wheels for 32 bits).",
            expected="1.23 or newer, below 2, as tflite-runtime needs it",
        )
    return Requirements(
        packages=(TFLITE_RUNTIME,),
        python_version=python_version,
        # The wheel is tagged for a newer glibc than it needs, 2.27.
        tags=("manylinux_2_34_armv7l", *(tag for tag in tags if tag != "manylinux_2_34_armv7l")),
        with_dependencies=False,
        stand_in=True,
    )


def _pinned(package: str) -> str:
    """The version of this side, so that both sides run the same engine; any where it is not installed here."""
    try:
        return f"{package}=={importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return package
