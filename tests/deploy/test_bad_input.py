"""Every bad input has its own text and exit code, never a traceback, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from condmix.models import timm_source, zoo
from tests.deploy.conftest import SETTINGS, Run, files_in

UNSTABLE = """
import torch
from torch import nn

class Overflowing(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x):
        y = (x * self.scale).flatten(1)
        return torch.log(y.sum(1, keepdim=True) * 0 - self.scale)

def build():
    return Overflowing()
"""
VALUE_DEPENDENT = """
import torch
from torch import nn

class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x):
        y = self.conv(x)
        return y if y.sum().item() > 0 else -y

def build():
    return Branching()
"""
ACROSS_IMAGES = """
import torch
from torch import nn

class AddsUpTheBatch(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x):
        return torch.cumsum(self.conv(x), dim=0)

def build():
    return AddsUpTheBatch()
"""


def _state(**changes: torch.Tensor) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {**zoo.build("condconv_digits", SETTINGS).state_dict(), **changes}


class _Evil:
    """A pickle that would run code."""

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, ("it_ran",))


def _not_a_checkpoint(path: Path) -> None:
    path.write_text("hello")


def _truncated(path: Path) -> None:
    torch.save(_state(), path)
    path.write_bytes(path.read_bytes()[:-5000])


def _pickle_in_it(path: Path) -> None:
    torch.save({"state_dict": _state(), "extra": _Evil()}, path)


def _bare_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(_Evil()))


def _misshapen(path: Path) -> None:
    state = _state()
    name = next(name for name, tensor in state.items() if tensor.ndim == 4)
    torch.save({**state, name: torch.zeros(1, 2, 3, 4)}, path)


def _not_a_number(path: Path) -> None:
    state = _state()
    name = next(name for name, tensor in state.items() if tensor.ndim == 4)
    torch.save({**state, name: torch.full_like(state[name], float("nan"))}, path)


def _fine(path: Path) -> None:
    torch.save(_state(), path)


def _of_the_zoo(path: Path) -> None:
    torch.save(zoo.build("condconv_digits").state_dict(), path)


ARCH = ("--arch", "condconv_digits", "--set", "width=0.5", "--set", "experts=2")


@pytest.mark.parametrize(
    ("make", "flags", "code", "said"),
    [
        (lambda _path: None, ARCH, 3, "there is no such file"),
        (_not_a_checkpoint, ARCH, 3, "is not a weights file"),
        (_truncated, ARCH, 3, "is cut off or damaged"),
        (_pickle_in_it, ARCH, 3, "--allow-pickle"),
        (_bare_pickle, ARCH, 3, "nothing of it was run"),
        (_misshapen, ARCH, 3, "(1, 2, 3, 4)"),
        (_not_a_number, ARCH, 3, "NaN"),
        (_of_the_zoo, (), 3, "fit condconv_digits: give --arch condconv_digits"),
        (_fine, ("--arch", "condconv_digit"), 3, "nearest: condconv_digits"),
        (_fine, ("--arch", "timm:mixnet_ss"), 3, "timm:mixnet_s"),
        (_fine, ("--arch", "condconv_digits", "--set", "expert=2"), 3, "nearest: experts"),
        (_fine, ("--factory", "no_such_module:build"), 3, "there is no module no_such_module"),
        (_fine, (*ARCH, "--input-size", "3x32x32"), 3, "does not run on an input of"),
        (_fine, (*ARCH, "--opset", "16"), 2, "opset 16 is too old"),
        (_fine, (*ARCH, "--images", "absent"), 3, "expected a folder of pictures"),
        (_fine, (*ARCH, "--batch", "dynamic", "--condconv", "grouped"), 2, "contradicts --batch dynamic"),
    ],
)
def test_bad_input_has_its_own_text_and_code_and_leaves_nothing(
    condmix: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Path], None],
    flags: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    # What fits is looked for among two of the zoo's networks.
    monkeypatch.setattr(zoo, "names", lambda: ("condconv_digits", "mixnet_digits"))
    monkeypatch.setattr(timm_source, "matching", lambda _pattern: ())
    make(tmp_path / "net.pt")
    before = files_in(tmp_path)
    ran = condmix("export", tmp_path / "net.pt", *flags)
    assert ran.code == code
    assert said in ran.err
    assert ran.out == ""
    assert files_in(tmp_path) == before


def test_a_failure_is_json_too(condmix: Run, tmp_path: Path) -> None:
    ran = condmix("export", tmp_path / "net.pt", "--json")
    record = json.loads(ran.out)
    assert (ran.code, record["exit_code"], record["error"]["type"]) == (3, 3, "NotACheckpointError")


@pytest.mark.parametrize(
    ("code_of_user", "flags", "exit_code", "said", "left"),
    [
        (VALUE_DEPENDENT, (), 3, "torch could not capture the network", set()),
        (ACROSS_IMAGES, ("--batch", "dynamic"), 4, "CumSum 'node_cumsum': no rule says", set()),
        (UNSTABLE, (), 5, "values that are not finite: ", {"net.rejected.onnx", "net.rejected.condmix.json"}),
    ],
)
def test_networks_that_cannot_be_exported(
    condmix: Run,
    user_code: Callable[[str], str],
    tmp_path: Path,
    code_of_user: str,
    flags: tuple[str, ...],
    exit_code: int,
    said: str,
    left: set[str],
) -> None:
    name = user_code(code_of_user)
    scope: dict[str, Callable[[], nn.Module]] = {}
    exec(compile(code_of_user, name, "exec"), scope)
    torch.save(scope["build"]().state_dict(), tmp_path / "net.pt")
    ran = condmix("export", tmp_path / "net.pt", "--factory", f"{name}:build", "--input-size", "3x8x8", "-q", *flags)
    assert ran.code == exit_code
    assert said in ran.err
    assert {entry for entry in files_in(tmp_path) if "onnx" in entry or "json" in entry} == left


@pytest.mark.usefixtures("quick")
def test_a_pickle_runs_only_with_permission(condmix: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _pickle_in_it(tmp_path / "net.pt")
    assert condmix("export", "net.pt", *ARCH).code == 3
    assert not (tmp_path / "it_ran").exists()
    assert condmix("export", "net.pt", *ARCH, "--allow-pickle").code == 0
    assert (tmp_path / "it_ran").exists()
