"""Builds a network by calling a function of the user's own code, named `package.module:function`."""

import difflib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from torch import nn

from condmix.models.errors import FactoryError


def build(name: str) -> nn.Module:
    """The network that `package.module:function` returns when called without arguments.

    The working directory is importable meanwhile. A class is called as well, and a network that already
    exists under that name is taken as it is. Raises `FactoryError` with what the name did not lead to.
    """
    with working_directory_importable():
        found = find(name)
        built = found if isinstance(found, nn.Module) else _call(name, found)
    if not isinstance(built, nn.Module):
        message = f"factory {name}: returned {type(built).__name__}, expected a torch.nn.Module; return the network"
        raise FactoryError(message)
    return built


def find(name: str) -> object:
    """What lies under `package.module:function`, its module imported. Raises `FactoryError` where nothing does."""
    module_name, attribute_path = _parse(name)
    return _look_up(name, _import(name, module_name), attribute_path)


@contextmanager
def working_directory_importable() -> Iterator[None]:
    """Inside, modules in the working directory can be imported, before installed ones."""
    directory = str(Path.cwd())
    importlib.invalidate_caches()
    sys.path.insert(0, directory)
    try:
        yield
    finally:
        # The code that was imported may have changed the path itself.
        if directory in sys.path:
            sys.path.remove(directory)


def _parse(name: str) -> tuple[str, list[str]]:
    module_name, colon, attribute = name.partition(":")
    parts = [*module_name.split("."), *attribute.split(".")]
    if not colon or not all(part.isidentifier() for part in parts):
        message = (
            f"factory {name!r}: expected package.module:function, such as my_project.networks:build; "
            "a path or a call is not accepted"
        )
        raise FactoryError(message)
    return module_name, attribute.split(".")


def _import(name: str, module_name: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            message = (
                f"factory {name}: there is no module {error.name} in {Path.cwd()} or among the installed "
                "packages; run from the folder that holds it, or install it"
            )
        else:
            message = f"factory {name}: {module_name} imports {error.name}, which is not installed; install it"
        raise FactoryError(message) from error
    except (Exception, SystemExit) as error:
        message = f"factory {name}: importing {module_name} failed with {_shown(error)}; repair it and try again"
        raise FactoryError(message) from error


def _look_up(name: str, module: ModuleType, attribute_path: list[str]) -> object:
    found: object = module
    for part in attribute_path:
        if not hasattr(found, part):
            public = [known for known in vars(found) if not known.startswith("_")]
            near = difflib.get_close_matches(part, public, n=3, cutoff=0.5)
            hint = f"nearest: {', '.join(near)}" if near else "no name in it comes near"
            message = f"factory {name}: {module.__name__} has no {'.'.join(attribute_path)}; {hint}"
            raise FactoryError(message)
        found = getattr(found, part)
    return found


def _call(name: str, found: object) -> object:
    if not callable(found):
        message = f"factory {name}: is a {type(found).__name__}, expected a function without arguments"
        raise FactoryError(message)
    try:
        signature = inspect.signature(found)
        signature.bind()
    except TypeError as error:
        message = (
            f"factory {name}: it cannot be called without arguments ({error}); write a function around it that can"
        )
        raise FactoryError(message) from None
    except ValueError:
        # Some compiled functions have no signature to look at: calling tells.
        pass
    try:
        return found()
    except (Exception, SystemExit) as error:
        message = f"factory {name}: calling it failed with {_shown(error)}; repair it and try again"
        raise FactoryError(message) from error


def _shown(error: BaseException) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
