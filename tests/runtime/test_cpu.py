import json
import os
import platform
import subprocess
from pathlib import Path

import numpy as np
import pytest

from condmix.runtime.cpu import CpuFacts, parse_cpuinfo, read_cpu_facts
from condmix.runtime.errors import InvalidRecordError, InvalidSettingError

X86 = """processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Example CPU @ 2.00GHz
flags\t\t: fpu sse4_1 avx f16c fma avx2 avx512f avx512_vnni

processor\t: 1
vendor_id\t: GenuineIntel
model name\t: Example CPU @ 2.00GHz
flags\t\t: fpu sse4_1 avx f16c fma avx2 avx512f
"""
ARM = """processor\t: 0
BogoMIPS\t: 38.40
Features\t: fp asimd aes atomics fphp asimdhp asimddp
CPU implementer\t: 0x41
CPU part\t: 0xd05

processor\t: 4
BogoMIPS\t: 38.40
Features\t: fp asimd aes atomics fphp asimdhp asimddp i8mm
CPU implementer\t: 0x41
CPU part\t: 0xd0a

Hardware\t: Example board
"""


def test_x86_features_are_those_of_all_cores():
    names, features = parse_cpuinfo(X86)
    assert names == ("Example CPU @ 2.00GHz",)
    assert features == ("SSE4.1", "AVX", "F16C", "FMA", "AVX2", "AVX-512F")


def test_arm_cores_of_two_kinds_are_both_named():
    names, features = parse_cpuinfo(ARM)
    assert names == ("implementer 0x41 part 0xd05", "implementer 0x41 part 0xd0a")
    assert features == ("ASIMD", "FP16", "dotprod")


@pytest.mark.parametrize("text", ["", "\n\n\n", "no colon here", "processor : 0"])
def test_text_that_says_nothing(text: str):
    assert parse_cpuinfo(text) == ((), ())


@pytest.mark.parametrize(
    ("features", "expected"), [(("AVX2",), False), (("AVX2", "AVX-512-VNNI"), True), (("dotprod",), True)]
)
def test_the_int8_dot_product_is_derived(features: tuple[str, ...], expected: bool):
    facts = CpuFacts(
        architecture="x",
        system="s",
        model_names=(),
        features=features,
        logical_cores=None,
        usable_cores=None,
        versions=(),
    )
    assert facts.has_int8_dot_product is expected


def test_facts_are_read_from_the_given_file(tmp_path: Path):
    path = tmp_path / "cpuinfo"
    path.write_text(ARM)
    facts = read_cpu_facts(path)
    assert facts.features == ("ASIMD", "FP16", "dotprod")
    assert facts.architecture == platform.machine()
    assert facts.logical_cores == os.cpu_count()
    assert dict(facts.versions)["numpy"] == np.__version__
    assert {"python", "onnxruntime"} <= set(dict(facts.versions))


def test_a_machine_without_the_file_still_has_facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    facts = read_cpu_facts(tmp_path / "none")
    assert (facts.model_names, facts.features, facts.usable_cores) == ((), (), None)
    assert facts.architecture == platform.machine()


def test_a_package_that_is_not_installed_has_no_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("condmix.runtime.cpu._VERSIONED_PACKAGES", ("numpy", "no-such-package-at-all"))
    assert [name for name, _ in read_cpu_facts(tmp_path / "none").versions] == ["python", "numpy"]


def test_no_process_is_started(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_args: object, **_settings: object) -> None:
        msg = "a process was started"
        raise AssertionError(msg)

    monkeypatch.setattr(subprocess.Popen, "__init__", refuse)
    monkeypatch.setattr(os, "system", refuse)
    with pytest.raises(AssertionError, match="a process was started"):
        subprocess.run(["true"], check=True)
    assert read_cpu_facts().architecture


def test_unknown_feature_names_are_refused():
    with pytest.raises(InvalidSettingError, match=r"features has unknown names \['avx2'\]"):
        CpuFacts(
            architecture="x",
            system="s",
            model_names=(),
            features=("avx2",),
            logical_cores=1,
            usable_cores=1,
            versions=(),
        )


def test_the_record_is_json():
    data = json.loads(json.dumps(read_cpu_facts().to_dict()))
    assert data["schema_version"] == 1
    assert set(data) == {
        "schema_version", "architecture", "system", "model_names", "features", "has_int8_dot_product",
        "logical_cores", "usable_cores", "versions",
    }  # fmt: skip


def test_the_record_is_read_back():
    facts = read_cpu_facts()
    assert CpuFacts.from_dict(json.loads(json.dumps(facts.to_dict()))) == facts
    with pytest.raises(InvalidRecordError) as caught:
        CpuFacts.from_dict({**facts.to_dict(), "model_names": [1], "versions": {"python": 3}})
    assert caught.value.problems == (
        "'model_names' must hold str only, found 1",
        "'versions' must hold str only, found 3",
    )
