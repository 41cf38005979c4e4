"""Which devices are refused and why, and what each of the others is brought."""

import importlib.metadata

import pytest

from condmix.deploy.devices.device import DeviceFacts
from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.requirements import check_device, requirements
from tests.deploy.devices.boards import FACTS

ORT = f"onnxruntime=={importlib.metadata.version('onnxruntime')}"
LITERT = f"ai-edge-litert=={importlib.metadata.version('ai-edge-litert')}"


def facts(**changes: object) -> DeviceFacts:
    return DeviceFacts.from_dict({**FACTS, **changes})


def check(**changes: object) -> None:
    check_device("pi", facts(**changes), now=1e9)


def test_a_sound_device_passes():
    check()
    check_device("pi", facts(), now=1e9, expected_architecture="aarch64")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"machine": "riscv64"},
            r"pi: probe: it is riscv64 on Linux 6\.1, expected Linux on aarch64, x86_64, armv7l\. No eng",
        ),
        ({"machine": "x86_64", "bits": 32}, r"pi: probe: it is i686 on Linux"),
        ({"system": "FreeBSD 14"}, r"pi: probe: it is aarch64 on FreeBSD 14"),
        ({"libc": ""}, r"pi: probe: its C library is not glibc, expected glibc\. Use a system with glibc"),
        (
            {"python_version": [3, 9, 2]},
            r"interpreter is CPython 3\.9\.2, expected CPython 3\.11 to 3\.13\. Install py",
        ),
        ({"python_version": [3, 14, 0]}, r"interpreter is CPython 3\.14\.0"),
        ({"implementation": "PyPy"}, r"interpreter is PyPy 3\.11\.2"),
        ({"clock": 1e9 - 7200}, r"pi: probe: its clock is 2\.0 hours behind, expected .*`sudo date -u -s @1000000000`"),
        ({"clock": 1e9 + 86400}, r"pi: probe: its clock is 24\.0 hours ahead"),
    ],
)
def test_devices_that_are_refused(changes: dict[str, object], text: str):
    with pytest.raises(DeviceError, match=text) as error:
        check(**changes)
    assert error.value.device == "pi"
    assert error.value.step == "probe"


def test_another_machine_than_was_meant():
    with pytest.raises(DeviceError, match=r"its programs are armv7l, expected aarch64\. Correct the fleet file"):
        check_device("pi", facts(bits=32), now=1e9, expected_architecture="aarch64")


def test_both_engines_of_this_side_with_every_tag_down_to_the_oldest():
    found = requirements("pi", facts(), ["onnxruntime", "litert"])
    assert found.packages == (ORT, LITERT)
    assert found.tags[0] == "manylinux_2_36_aarch64"
    assert found.tags[-2:] == ("manylinux_2_17_aarch64", "manylinux2014_aarch64")
    assert found.python_version == (3, 11)
    assert not found.stand_in


@pytest.mark.parametrize(("engine", "version"), [("onnxruntime", "2.27"), ("litert", "2.33")])
def test_an_old_glibc(engine: str, version: str):
    with pytest.raises(DeviceError, match=rf"pi: packages: its glibc is {version}, expected 2\.\d+ or newer for"):
        requirements("pi", facts(libc_version=version), [engine])
    assert requirements("pi", facts(libc_version="2.28"), ["onnxruntime"]).packages == (ORT,)


def test_32_bits_get_tflite_runtime_with_the_boards_own_numpy():
    for machine in ("armv7l", "aarch64"):  # a 64-bit kernel below a 32-bit system is told by the interpreter
        found = requirements("pi", facts(machine=machine, bits=32, numpy="1.24.2"), ["litert"])
        assert found.packages == ("tflite-runtime==2.14.0",)
        assert found.tags[0] == "manylinux_2_34_armv7l"
        assert not found.with_dependencies
        assert found.stand_in


@pytest.mark.parametrize(
    ("engine", "changes", "text"),
    [
        ("onnxruntime", {}, r"have 32 bits, for which there is no onnxruntime\. Measure the \.tflite files there"),
        ("litert", {"python_version": [3, 12, 1]}, r"its Python is 3\.12\.1, expected 3\.11, the last"),
        ("litert", {"numpy": None}, r"its numpy is missing, expected 1\.23 or newer, below 2"),
        ("litert", {"numpy": "2.1.0"}, r"its numpy is 2\.1\.0, expected 1\.23 or newer, below 2"),
    ],
)
def test_32_bits_that_cannot(engine: str, changes: dict[str, object], text: str):
    with pytest.raises(DeviceError, match=text):
        requirements("pi", facts(**{"bits": 32, "numpy": "1.24.2", **changes}), [engine])
