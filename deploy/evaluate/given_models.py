"""The model files that were named: files as they are, and what is in a bundle."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from condmix.deploy.errors import PlanError, UnreadableFileError
from condmix.deploy.measure.bundle_files import BUNDLE_SUFFIX
from condmix.runtime.bundle.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from condmix.deploy.measure.together import Checks

CHECKPOINTS = (".pt", ".pth", ".safetensors", ".ckpt")
SUMMARY = "these files cannot be evaluated:"


@dataclass(frozen=True, kw_only=True)
class GivenModel:
    """One model file. shown: as it is spoken of. readable: where it can be read for now; of a bundle a temporary place.

    path, member: where it is for good; member is None for a plain file.
    """

    shown: Path
    readable: Path
    path: Path
    member: str | None


def given_models(
    paths: Sequence[Path], against: Path | None, stack: ExitStack, checks: Checks
) -> tuple[GivenModel, ...]:
    """The models, bundles unpacked for as long as `stack` is open; `against` before all others.

    What cannot be used is kept in `checks`: a damaged bundle, a checkpoint, a file given twice.
    """
    found = [one for path in paths for one in checks.run(partial(_models, path, stack)) or ()]
    if against is not None:
        yardstick = checks.run(partial(_only_model, against, stack)) or ()
        places = {_place(one) for one in yardstick}
        found = [*yardstick, *(one for one in found if _place(one) not in places)]
    checks.run(partial(_refuse_twice, found))
    return tuple(dict((_place(one), one) for one in found).values())


def _models(path: Path, stack: ExitStack) -> tuple[GivenModel, ...]:
    if path.suffix.lower() in CHECKPOINTS:
        message = f"{path} is a checkpoint: export it (condmix export {path}) and give its float file"
        raise UnreadableFileError(message)
    if path.suffix.lower() != BUNDLE_SUFFIX or not path.is_file():
        return (GivenModel(shown=path, readable=path, path=path.absolute(), member=None),)
    from condmix.runtime.bundle.unpack import unpacked

    try:
        bundle = stack.enter_context(unpacked(path))
    except BundleError as error:
        raise UnreadableFileError(str(error)) from error
    names = [artifact.name for artifact in bundle.manifest.artifacts]
    return tuple(
        GivenModel(shown=path / name, readable=bundle.path(name), path=path.absolute(), member=name) for name in names
    )


def _only_model(path: Path, stack: ExitStack) -> tuple[GivenModel, ...]:
    found = _models(path, stack)
    if len(found) > 1:
        names = ", ".join(one.shown.name for one in found)
        raise PlanError(SUMMARY, [f"--against {path} holds several models ({names}): give one of them as a file"])
    return found


def _refuse_twice(models: Sequence[GivenModel]) -> None:
    places = [_place(one) for one in models]
    twice = dict.fromkeys(str(one.shown) for one in models if places.count(_place(one)) > 1)
    if twice:
        raise PlanError(SUMMARY, [f"{shown} is given twice" for shown in twice])


def _place(model: GivenModel) -> tuple[Path, str | None]:
    return model.path.resolve(), model.member
