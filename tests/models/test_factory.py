"""Tests of condmix.models.factory."""

import itertools
import sys

import pytest
from torch import nn

from condmix.models.errors import FactoryError
from condmix.models.factory import build, find, working_directory_importable

COUNTER = itertools.count()
CODE = """
from torch import nn

def network():
    return nn.Linear(2, 3)

def with_argument(width):
    return nn.Linear(2, width)

def no_network():
    return 3

def fails():
    raise KeyError("weights")

def stops():
    raise SystemExit

def imports_late():
    import {module}_late
    return {module}_late.late()

class Network(nn.Linear):
    def __init__(self):
        super().__init__(4, 5)

class Holder:
    network = staticmethod(network)

existing = nn.Linear(6, 7)
number = 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch) -> str:
    """The name of a module in the working directory, another one for each test."""
    name = f"factory_example_{next(COUNTER)}"
    (tmp_path / f"{name}.py").write_text(CODE.format(module=name))
    (tmp_path / f"{name}_late.py").write_text("from torch import nn\ndef late(): return nn.Linear(8, 9)\n")
    monkeypatch.chdir(tmp_path)
    return name


@pytest.mark.parametrize(
    ("attribute", "in_features"),
    [("network", 2), ("Network", 4), ("Holder.network", 2), ("existing", 6), ("imports_late", 8)],
)
def test_functions_classes_and_networks_lead_to_a_network(module, attribute, in_features):
    built = build(f"{module}:{attribute}")
    assert isinstance(built, nn.Linear)
    assert built.in_features == in_features


def test_a_module_in_a_package(tmp_path, monkeypatch):
    package = tmp_path / "factory_package" / "inner"
    package.mkdir(parents=True)
    (package / "networks.py").write_text("from torch import nn\ndef make(): return nn.Linear(2, 2)\n")
    monkeypatch.chdir(tmp_path)
    assert isinstance(build("factory_package.inner.networks:make"), nn.Linear)


def refusal(name: str) -> str:
    with pytest.raises(FactoryError) as caught:
        build(name)
    return str(caught.value)


@pytest.mark.parametrize("name", ["", "a", "a:", ":b"])
def test_a_name_in_another_form(name):
    assert refusal(name) == (
        f"factory {name!r}: expected package.module:function, such as my_project.networks:build; a path or a call is "
        "not accepted"
    )


@pytest.mark.parametrize("name", ["a/b:c", "a:b()", "a:b:c", "a..b:c", "a b:c"])
def test_paths_and_calls_are_another_form_too(name):
    assert refusal(name).startswith(f"factory {name!r}: expected package.module:function")


def test_a_module_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert refusal("absent_package.module:f") == (
        f"factory absent_package.module:f: there is no module absent_package in {tmp_path} or among the installed "
        "packages; run from the folder that holds it, or install it"
    )


def test_a_module_that_imports_what_is_not_there(tmp_path, monkeypatch):
    (tmp_path / "factory_needy.py").write_text("import absent_dependency\n")
    monkeypatch.chdir(tmp_path)
    assert refusal("factory_needy:f") == (
        "factory factory_needy:f: factory_needy imports absent_dependency, which is not installed; install it"
    )


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(2)", "SystemExit: 2"),
        ("raise RuntimeError", "RuntimeError"),
    ],
)
def test_a_module_that_fails_at_import(tmp_path, monkeypatch, code, shown):
    name = f"factory_broken_{next(COUNTER)}"
    (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    assert refusal(f"{name}:f") == (f"factory {name}:f: importing {name} failed with {shown}; repair it and try again")


def test_a_function_that_is_not_there(module):
    assert (
        refusal(f"{module}:netwrk")
        == f"factory {module}:netwrk: {module} has no netwrk; nearest: network, Network, no_network"
    )
    assert refusal(f"{module}:zzz") == f"factory {module}:zzz: {module} has no zzz; no name in it comes near"


def test_what_cannot_be_called(module):
    assert refusal(f"{module}:number") == (f"factory {module}:number: is a int, expected a function without arguments")
    assert refusal(f"{module}:with_argument") == (
        f"factory {module}:with_argument: it cannot be called without arguments (missing a required argument: "
        "'width'); write a function around it that can"
    )


def test_calls_that_fail_or_give_no_network(module):
    assert refusal(f"{module}:fails") == (
        f"factory {module}:fails: calling it failed with KeyError: 'weights'; repair it and try again"
    )
    assert refusal(f"{module}:stops") == (
        f"factory {module}:stops: calling it failed with SystemExit; repair it and try again"
    )
    assert refusal(f"{module}:no_network") == (
        f"factory {module}:no_network: returned int, expected a torch.nn.Module; return the network"
    )


def test_the_import_path_is_as_it_was_afterwards(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    with working_directory_importable():
        assert sys.path == [str(tmp_path), *before]
    assert sys.path == before


def test_code_that_changes_the_import_path_does_no_harm(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = list(sys.path)
    with working_directory_importable():
        sys.path.insert(0, "/added")
    assert sys.path == ["/added", *before]
    with working_directory_importable():
        sys.path.clear()
    assert sys.path == []


def test_anything_under_a_name_can_be_found_without_being_called(module) -> None:
    with working_directory_importable():
        assert find(f"{module}:number") == 3
        assert find(f"{module}:fails").__name__ == "fails"
        with pytest.raises(FactoryError, match="has no absent"):
            find(f"{module}:absent")
