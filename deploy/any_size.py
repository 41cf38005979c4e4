"""An ONNX file for any height and width: the network at several sizes, and what they have in common."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from functools import partial

import numpy as np

from condmix.deploy.input_size import RequestedSize
from condmix.deploy.loading import Loading
from condmix.deploy.source import Source, open_source
from condmix.exporters.build import Build, build_from
from condmix.exporters.captured import Captured
from condmix.exporters.options import ExportOptions
from condmix.exporters.sizes.build import free_size, twin_options
from condmix.exporters.sizes.choice import FreeSize, Sides, choose_sizes, shown
from condmix.runtime.image_size import METADATA_KEY


def choose_for(source: Source) -> FreeSize:
    """The sizes for the network. Raises NotExportableError when it runs at its own size alone."""
    _, height, width = source.network.input_size
    names = [str(output.name) for output in source.captured.model.graph.outputs]
    return choose_sizes((height, width), partial(_problem, source, names))


def free_onnx(
    loading: Loading,
    source: Source,
    options: ExportOptions,
    build: Build,
    report_progress: Callable[[str], None],
) -> tuple[Build, FreeSize]:
    """The build for any height and width, and the sizes at which it has to be proven.

    Raises NotExportableError for a network whose graph depends on the size in a way that no rule gives.
    """
    report_progress("choose sizes")
    sizes = choose_for(source)
    twins = [build]
    for captured in captures_at(loading, source, sizes, report_progress):
        twins.append(build_from(captured, twin_options(options, build.layers), {}, lambda _stage: None))
    report_progress("free height and width")
    return free_size(twins, sizes.captured, size_metadata(sizes)), sizes


def captures_at(
    loading: Loading, source: Source, sizes: FreeSize, report_progress: Callable[[str], None]
) -> list[Captured]:
    """The graph at every size but the given one."""
    found = []
    channels = source.network.input_size[0]
    for sides in sizes.captured[1:]:
        report_progress(f"capture {shown(sides)}")
        asked = RequestedSize(channels=channels, height=sides[0], width=sides[1])
        found.append(open_source(dataclasses.replace(loading, input_size=asked), lambda _stage: None).captured)
    return found


def size_metadata(sizes: FreeSize) -> dict[str, str]:
    """What the file says of its sizes: at which it was verified, and which it takes."""
    said = {"step": sizes.step, "given": shown(sizes.captured[0]), "verified_at": [shown(one) for one in sizes.proven]}
    return {METADATA_KEY: json.dumps(said, sort_keys=True)}


def _problem(source: Source, names: list[str], sides: Sides) -> str | None:
    """What the network says at that size; None where it runs."""
    channels = source.network.input_size[0]
    image = np.zeros((1, channels, *sides), dtype=np.float32)
    try:
        source.oracle.float64(image, names)
    except Exception as error:  # noqa: BLE001 - it is somebody's network: it may raise anything
        text = str(error.__cause__ or error) or type(error).__name__
        return f"{_place(source, (channels, *sides))}{text.splitlines()[0]}"
    return None


def size_notes(sizes: FreeSize) -> tuple[str, ...]:
    """What a reader should know of the sizes beyond those that were run."""
    found = []
    if sizes.step > 1:
        found.append(f"the network takes {sizes.sentence()}: at others the file may fail, or compute nothing sound")
    found += [f"not compared, for the network itself does not run there: {text}" for text in sizes.not_run]
    return tuple(found)


def _place(source: Source, input_size: tuple[int, int, int]) -> str:
    """The module that stops, in front of what it says; nothing where no module is known."""
    module = getattr(source.network, "module", None)
    if module is None:
        return ""
    from condmix.exporters.sizes.failing_module import failing_module

    path = failing_module(module, input_size)
    return "" if path is None else f"{path or 'network'}: "
