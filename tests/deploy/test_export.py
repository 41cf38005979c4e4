"""condmix export as a user types it: files, streams, flags; outputs that exist or cannot be written."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from condmix.deploy import atomic, verified_file
from condmix.deploy.commands.export import DEFAULT_TOLERANCES
from condmix.exporters.verify.records import Verification
from condmix.runtime.tolerance import Tolerance
from tests.deploy.conftest import FLOAT32, Run, failing, files_in

PLAIN = """
from torch import nn

def build():
    print("this goes to stderr")
    layers = nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)
    return nn.Sequential(*layers)
"""


@pytest.fixture
def plain(user_code: Callable[[str], str], tmp_path: Path) -> tuple[Path, str]:
    """Weights of an ordinary network of a user's own, and its factory."""
    name = user_code(PLAIN)
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)
    )
    path = tmp_path / "plain.pt"
    torch.save(network.state_dict(), path)
    return path, f"{name}:build"


def test_a_checkpoint_of_ours_needs_no_flags(condmix: Run, weights: Path, tmp_path: Path) -> None:
    (tmp_path / "digits.pt").write_bytes(weights.read_bytes())
    ran = condmix(tmp_path / "digits.pt", "--format", "onnx", program="condmix-export")
    assert ran.code == 0
    assert files_in(tmp_path) == {"digits.pt", "digits.onnx", "digits.condmix.json", "digits.reference.npz"}
    assert f"condmix inspect {tmp_path}/digits.onnx" in ran.out
    assert "\x1b" not in ran.out + ran.err
    assert ran.err.splitlines()[:3] == ["condmix: start", "condmix: load", "condmix: capture"]
    assert all(line.startswith("condmix: ") for line in ran.err.splitlines())
    record = json.loads((tmp_path / "digits.condmix.json").read_text())
    assert record["command_line"] == ["condmix-export", str(tmp_path / "digits.pt"), "--format", "onnx"]


def test_a_model_with_nothing_to_rewrite_exports_plainly_and_says_so(
    condmix: Run, plain: tuple[Path, str], tmp_path: Path
) -> None:
    path, factory = plain
    ran = condmix("export", path, "--factory", factory, "--input-size", "3x16x16")
    assert ran.code == 0
    assert "1x3x16x16  nothing to rewrite" in ran.out
    assert "no CondConv and no MixConv was found: exported as an ordinary network" in ran.out
    assert (tmp_path / "plain.onnx").exists()


def test_json_is_one_object_whatever_the_users_code_prints(
    condmix: Run, plain: tuple[Path, str], tmp_path: Path
) -> None:
    path, factory = plain
    ran = condmix("export", path, "--factory", factory, "--input-size", "3x16x16", "--json", "--quiet")
    assert ran.code == 0
    assert json.loads(ran.out) == json.loads((tmp_path / "plain.condmix.json").read_text())
    assert ran.err == "this goes to stderr\n"


@pytest.mark.usefixtures("captured_once")
def test_an_earlier_stage_has_its_own_name_and_functions(condmix: Run, weights: Path, tmp_path: Path) -> None:
    ran = condmix("export", weights, "-o", tmp_path, "--stage", "named", "-q")
    assert ran.code == 0
    assert files_in(tmp_path) == {"small.named.onnx", "small.named.condmix.json", "small.named.reference.npz"}
    proto = onnx.load(tmp_path / "small.named.onnx")
    assert "CondConv" in {function.name for function in proto.functions}
    assert "CondConv  named only x12" in ran.out


def test_flags_reach_the_file(condmix: Run, weights: Path, tmp_path: Path) -> None:
    ran = condmix(
        *("export", weights, "-o", tmp_path / "a.onnx", "--batch", "2", "--opset", "17", "--condconv", "experts"),
        *("--tolerance", "1e-4", "--input-size", "48x40", "--json"),
    )
    record = json.loads(ran.out)
    assert ran.code == 0
    (entry,) = record["artifacts"]
    chosen = {"batch": 2, "opset": 17, "condconv": "experts", "mixconv": "auto", "experts": "float32", "stage": "final"}
    chosen |= {"dynamic_size": False, "in_turn": False}
    assert entry["options"] == {**chosen, "forms": []}
    assert entry["opset"] == 17
    assert record["input_size"] == [1, 48, 40]
    assert {layer["form"] for layer in entry["layers"]} == {"experts"}
    assert entry["artifact"]["signature"]["inputs"][0]["shape"] == [2, 1, 48, 40]
    assert entry["verification"]["stages"][-1]["parity"]["tolerance"]["relative"] == 1e-4


def test_help_names_the_default_tolerances() -> None:
    named = (FLOAT32, Tolerance.for_precision("float16_weights"), Tolerance.for_precision("int8_experts"))
    exact, half, int8 = (f"{tolerance.relative:.0e}" for tolerance in named)
    assert f"{exact}; {half} with float16 weights, {int8} with int8 experts" == DEFAULT_TOLERANCES


@pytest.mark.usefixtures("quick")
def test_a_failed_parity_is_code_5_on_both_streams(
    condmix: Run, weights: Path, tmp_path: Path, verified: Verification, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verified_file, "verify_onnx", lambda *_arguments, **_options: failing(verified))
    ran = condmix("export", weights, "-o", tmp_path / "a.onnx", "--json", "-q")
    assert ran.code == 5
    assert json.loads(ran.out)["passed"] is False
    assert ran.err.startswith(
        "condmix: the ONNX file does not compute what PyTorch computes:\n  - stage final: max|d| "
    )
    assert files_in(tmp_path) == {"a.rejected.onnx", "a.rejected.condmix.json", "a.rejected.reference.npz"}


@pytest.mark.parametrize("place", ["a-file/net.onnx", "absent/net.onnx"])
def test_an_output_that_cannot_be_written_is_told_before_any_work(
    condmix: Run, weights: Path, tmp_path: Path, place: str
) -> None:
    (tmp_path / "a-file").write_bytes(b"old")
    ran = condmix("export", weights, "-o", tmp_path / place)
    assert ran.code == 1
    assert f"{tmp_path / place}: cannot be written" in ran.err
    assert "condmix: load" not in ran.err
    assert files_in(tmp_path) == {"a-file"}


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs Linux's /proc, where nobody can make a file")
def test_a_read_only_place_is_told_before_any_work(condmix: Run, weights: Path) -> None:
    ran = condmix("export", weights, "-o", "/proc/net.onnx")
    assert ran.code == 1
    assert "Choose a folder you can write to with -o." in ran.err


@pytest.mark.usefixtures("quick")
def test_a_full_disk_is_told_and_leaves_the_old_files(
    condmix: Run, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.onnx").write_bytes(b"old")
    (tmp_path / "a.condmix.json").write_bytes(b"old record")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic.os, "fsync", full)
    ran = condmix("export", weights, "-o", tmp_path / "a.onnx", "--overwrite")
    assert ran.code == 1
    assert f"{tmp_path}/a.onnx: cannot be written: No space left on device. Free space on the disk" in ran.err
    assert files_in(tmp_path) == {"a.onnx", "a.condmix.json"}
    assert (tmp_path / "a.onnx").read_bytes() == b"old"
    assert (tmp_path / "a.condmix.json").read_bytes() == b"old record"


@pytest.mark.usefixtures("quick")
def test_existing_outputs_are_all_listed_and_replaced_only_on_request(
    condmix: Run, weights: Path, tmp_path: Path
) -> None:
    names = ("a.onnx", "a.condmix.json", "a.reference.npz")
    for name in names:
        (tmp_path / name).write_bytes(b"old")
    refused = condmix("export", weights, "-o", tmp_path / "a.onnx")
    assert refused.code == 2
    assert "--overwrite" in refused.err
    assert all(f"  - {tmp_path / name}\n" in refused.err for name in names)
    assert "condmix: start" not in refused.err
    assert {(tmp_path / name).read_bytes() for name in names} == {b"old"}
    assert condmix("export", weights, "-o", tmp_path / "a.onnx", "-f").code == 0
    assert json.loads((tmp_path / "a.condmix.json").read_text())["passed"] is True


@pytest.mark.usefixtures("quick")
def test_verbose_tells_the_reason_of_every_layer(condmix: Run, weights: Path, tmp_path: Path) -> None:
    assert "blocks.2.expand: kernel: " in condmix("export", weights, "-o", tmp_path, "--verbose").out


@pytest.mark.usefixtures("quick")
def test_quiet_leaves_only_the_summary(condmix: Run, weights: Path, tmp_path: Path) -> None:
    ran = condmix("export", weights, "-o", tmp_path, "--quiet")
    assert ran.err == ""
    assert ran.out.startswith("condmix 0.")


def test_an_unforeseen_failure_is_code_1(
    condmix: Run, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        np.zeros(1).reshape(7)

    monkeypatch.setattr("condmix.exporters.capture.capture", fail)
    ran = condmix("export", weights, "-o", tmp_path)
    assert ran.code == 1
    assert "condmix: unexpected: ValueError: cannot reshape array" in ran.err
    assert files_in(tmp_path) == set()
    assert "Traceback" in condmix("export", weights, "-o", tmp_path, "--verbose").err
