import dataclasses
from pathlib import Path

import pytest

from condmix.deploy.browser.variants import variants
from condmix.runtime.bench.subject import LITERT
from tests.deploy.browser.pieces import FACTS, PLAIN, subject_files


def test_a_file_runs_in_every_way_that_is_offered(tmp_path: Path) -> None:
    found = variants(subject_files(tmp_path), FACTS, all_cores=True, webgpu=True)
    assert [(one.name, one.backend, one.subject.threads) for one in found.offered] == [
        ("net@wasm", "wasm", 1),
        ("net@4t@wasm", "wasm", 4),
        ("net@webgpu", "webgpu", 1),
    ]
    assert found.missing == {}


def test_what_is_not_offered_has_its_reason(tmp_path: Path) -> None:
    found = variants(subject_files(tmp_path), PLAIN, all_cores=True, webgpu=True)
    assert [one.name for one in found.offered] == ["net@wasm"]
    assert found.missing == {
        "net@4t@wasm": "4 threads need shared memory, which a browser gives to https and localhost only",
        "net@webgpu": "WebGPU needs https or localhost",
    }


@pytest.mark.parametrize(("cores", "threads"), [(None, 2), (2, 2), (3, 3), (16, 4)])
def test_all_cores_are_as_many_as_there_are_up_to_four(tmp_path: Path, cores: int | None, threads: int) -> None:
    facts = dataclasses.replace(FACTS, hardware_concurrency=cores)
    found = variants(subject_files(tmp_path), facts, all_cores=True, webgpu=False)
    assert found.offered[1].subject.threads == threads


def test_one_core_offers_no_threads(tmp_path: Path) -> None:
    facts = dataclasses.replace(FACTS, hardware_concurrency=1)
    found = variants(subject_files(tmp_path), facts, all_cores=True, webgpu=False)
    assert found.missing == {"net@2t@wasm": "2 threads were asked for, the browser has 1 core(s)"}


def test_threads_that_were_asked_for_are_the_only_ones(tmp_path: Path) -> None:
    found = variants(subject_files(tmp_path, threads=3), FACTS, all_cores=True, webgpu=False)
    assert [(one.name, one.subject.threads) for one in found.offered] == [("net@wasm", 3)]


def test_litert_takes_some_types_only_and_threads_need_relaxed_simd(tmp_path: Path) -> None:
    (file,) = subject_files(tmp_path)
    subject = dataclasses.replace(file.subject, engine=LITERT)
    integers = dataclasses.replace(file, subject=subject, types=frozenset({"int8"}))
    found = variants([integers], FACTS, all_cores=True, webgpu=True)
    assert found.offered == ()
    assert "export it with float32" in found.missing["net@wasm"]
    floats = dataclasses.replace(file, subject=subject)
    found = variants([floats], dataclasses.replace(FACTS, relaxed_simd=False), all_cores=True, webgpu=False)
    assert [one.name for one in found.offered] == ["net@wasm"]
    assert "relaxed SIMD" in found.missing["net@4t@wasm"]
