"""What facts say of a machine."""

import pytest

from condmix.deploy.devices.device import DeviceFacts
from condmix.runtime.errors import InvalidRecordError
from tests.deploy.devices.boards import FACTS


@pytest.mark.parametrize(
    ("machine", "bits", "expected"),
    [
        ("aarch64", 64, "aarch64"),
        ("arm64", 64, "aarch64"),
        ("aarch64", 32, "armv7l"),
        ("armv7l", 32, "armv7l"),
        ("x86_64", 64, "x86_64"),
        ("x86_64", 32, "i686"),
        ("riscv64", 64, "riscv64"),
    ],
)
def test_the_interpreter_decides_about_bits(machine: str, bits: int, expected: str):
    assert DeviceFacts.from_dict({**FACTS, "machine": machine, "bits": bits}).architecture == expected


@pytest.mark.parametrize(
    ("machine", "kernel", "expected"),
    [("aarch64", "x86_64", True), ("aarch64", "aarch64", False), ("x86_64", "x86_64", False), ("aarch64", None, False)],
)
def test_emulation_is_told_by_the_kernel(machine: str, kernel: str | None, expected: bool):
    assert DeviceFacts.from_dict({**FACTS, "machine": machine, "kernel_machine": kernel}).emulated is expected


def test_facts_come_back_as_they_were_and_are_said_in_a_sentence():
    facts = DeviceFacts.from_dict(FACTS)
    assert DeviceFacts.from_dict(facts.to_dict()) == facts
    assert facts.sentence() == "Raspberry Pi 5, aarch64, Python 3.11.2, glibc 2.36"


def test_other_facts_are_refused():
    with pytest.raises(InvalidRecordError, match="'machine' must be str, found 7"):
        DeviceFacts.from_dict({**FACTS, "machine": 7})
