"""Real exports on emulated Arm CPUs: what they compute is PyTorch's, and no time is told. Needs qemu and a mirror."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from condmix.deploy.devices.address import parse_address
from condmix.deploy.devices.emulated import EmulatedDevice
from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.wheels import device_cache
from condmix.deploy.measure.plan import BenchPlan
from condmix.runtime.bench.settings import BenchSettings
from tests.deploy.devices.exported import export_all, plan_of

pytestmark = pytest.mark.device
_NEEDED = {"cortex-a53": "qemu-aarch64-static", "cortex-a76": "qemu-aarch64-static", "armv7": "qemu-arm-static"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return export_all(tmp_path_factory.mktemp("exported"))


def measured(cpu: str, plan: BenchPlan) -> None:
    missing = [name for name in (_NEEDED[cpu], "mmdebstrap") if shutil.which(name) is None]
    if missing:
        pytest.skip(
            f"no emulated {cpu}: {', '.join(missing)} not on the PATH (apt-get install qemu-user-static mmdebstrap)"
        )
    device = EmulatedDevice(parse_address(f"emulated:{cpu}"), name=cpu, cache=device_cache())
    try:
        report = device.run(plan, BenchSettings())
    except DeviceError as error:
        if "mmdebstrap made no userland" in str(error) or "pip found no wheels" in str(error):
            pytest.skip(f"no emulated {cpu}, nothing can be fetched: {error}")
        raise
    finally:
        device.close()
    assert f"EMULATED: {cpu} under qemu" in report.verdict.first_line()
    assert report.environment_before.emulated
    for record in report.subjects:
        assert record.failure is None
        assert record.agreement is not None
        sys.stdout.write(f"{cpu} {record.name} {record.engine_version}: {record.agreement.detail}\n")
        assert record.agreement.passed, record.agreement.detail
        assert report.steady(record.name) is None
        assert record.openings == ()


@pytest.mark.parametrize("cpu", ["cortex-a53", "cortex-a76"])
def test_64_bits(cpu: str, files: tuple[Path, ...]):
    measured(cpu, plan_of(files))


def test_32_bits_run_the_tflite_files_in_tflite_runtime(files: tuple[Path, ...]):
    measured("armv7", plan_of(tuple(path for path in files if path.suffix == ".tflite")))


def test_32_bits_have_no_onnx_runtime_and_say_so(files: tuple[Path, ...]):
    with pytest.raises(DeviceError, match=r"armv7: packages: its programs have 32 bits, .*no onnxruntime"):
        measured("armv7", plan_of(files[:1]))
