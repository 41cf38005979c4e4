"""Tests of condmix.models.torchvision_operators, whose subject is the state of a fresh interpreter."""

import importlib
import subprocess
import sys

import pytest
import torch

from condmix.models import torchvision_operators

FRESH = """
import warnings
warnings.simplefilter("error")
from condmix.models.torchvision_operators import make_torchvision_importable
libraries = make_torchvision_importable()
import torchvision
assert make_torchvision_importable() is libraries
assert len(libraries) == (0 if torchvision.extension._has_ops() else 1)
assert torchvision.ops.nms is not None
print("fine")
"""


@pytest.mark.slow
def test_torchvision_imports_in_a_fresh_interpreter():
    done = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("fine\n", "", 0)


class RecordingLibrary:
    """Stands for torch's library and remembers what is declared."""

    declared: list[str]

    def __init__(self, name: str, kind: str) -> None:
        assert (name, kind) == ("torchvision", "FRAGMENT")
        RecordingLibrary.declared = []

    def define(self, signature: str) -> None:
        RecordingLibrary.declared.append(signature.partition("(")[0])


def load_with(monkeypatch: pytest.MonkeyPatch, outcomes: list[Exception | None]) -> tuple[object, ...]:
    """The rule run anew, with each import of torchvision ending as told."""

    def pretend(name: str) -> None:
        assert name == "torchvision"
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome

    monkeypatch.setattr(importlib, "import_module", pretend)
    monkeypatch.setattr(torch.library, "Library", RecordingLibrary)
    return torchvision_operators.make_torchvision_importable.__wrapped__()


def test_nothing_is_declared_where_the_operators_load(monkeypatch):
    assert load_with(monkeypatch, [None]) == ()


def test_missing_operators_are_declared_before_the_second_import(monkeypatch):
    missing = RuntimeError("operator torchvision::nms does not exist")
    assert len(load_with(monkeypatch, [missing, None])) == 1
    assert RecordingLibrary.declared == ["nms", "qnms"]


@pytest.mark.parametrize("error", [RuntimeError("another trouble"), ModuleNotFoundError("no torchvision")])
def test_other_trouble_is_raised_as_it_comes(monkeypatch, error):
    with pytest.raises(type(error), match=str(error)):
        load_with(monkeypatch, [error])
