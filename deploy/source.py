"""Where a network comes from: weights that PyTorch runs, a program or an ONNX file that somebody made. One door."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from condmix.deploy.detect.tail import refuse_tail, with_tail
from condmix.deploy.errors import PlanError
from condmix.deploy.loading import Loading, load_network
from condmix.exporters.captured import Captured
from condmix.exporters.graph.facts import static_shape
from condmix.exporters.output_kinds import kinds_of
from condmix.exporters.rename import with_names
from condmix.exporters.verify.oracle import Oracle, oracle_of
from condmix.models.errors import SettingsError
from condmix.models.file_kind import FileKind, identify
from condmix.models.network import LoadedNetwork
from condmix.models.preprocessing import Preprocessing, assumed

_LARGEST_METADATA = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Source:
    """A network, its graph for one image, and whoever says what it computes."""

    network: LoadedNetwork
    captured: Captured
    oracle: Oracle


def open_source(loading: Loading, report_progress: Callable[[str], None]) -> Source:
    """The network in the file, captured. Raises subclasses of ModelError, CaptureError, or OnnxInputError."""
    if loading.is_onnx:
        refuse_tail(loading.model, loading.detection)
        return _open_onnx(loading, report_progress)
    kind = identify(loading.model)
    if kind.is_program:
        refuse_tail(loading.model, loading.detection)
        return _open_program(loading, kind, report_progress)
    from condmix.exporters.capture import capture

    report_progress("load")
    network = with_tail(load_network(loading), loading.detection)
    report_progress("capture")
    captured = capture(network.module, network.input_size, loading.more_inputs)
    return _named(loading, Source(network=network, captured=captured, oracle=oracle_of(network.module)))


def _named(loading: Loading, source: Source) -> Source:
    """The source with the names that were asked for; the network knows what its outputs are."""
    network, captured = source.network, source.captured
    if loading.any_size and len(captured.model.graph.inputs) > 1:
        listed = ", ".join(f"'{value.name}'" for value in captured.model.graph.inputs)
        summary = "--dynamic-size is about networks of images alone:"
        raise PlanError(summary, [f"this one has the inputs {listed}: leave --dynamic-size out"])
    if network.class_names is not None:
        kinds = kinds_of(captured.model.graph, len(network.class_names))
        captured = dataclasses.replace(captured, output_kinds=kinds)
    captured, oracle = with_names(captured, source.oracle, loading.input_names, loading.output_names)
    inputs = {str(value.name): static_shape(value)[1:] for value in captured.model.graph.inputs}
    network = dataclasses.replace(network, output_kinds=captured.output_kinds, input_shapes=inputs)
    return Source(network=network, captured=captured, oracle=oracle)


def _open_onnx(loading: Loading, report_progress: Callable[[str], None]) -> Source:
    from condmix.exporters.onnx_input.read import read_onnx

    asked = loading.input_size
    size = None if asked is None else (asked.channels, asked.height, asked.width)
    found = read_onnx(loading.model, size, report_progress, any_size=loading.any_size)
    preprocessing, notes = _preprocessing(found.metadata, found.input_size[0])
    network = LoadedNetwork(
        architecture=f"onnx:{loading.model.stem}",
        settings={},
        input_size=found.input_size,
        preprocessing=preprocessing,
        class_names=_class_names(found.metadata),
        source=loading.model,
        source_sha256=found.sha256,
        notes=(*found.notes, *notes),
    )
    return _named(loading, Source(network=network, captured=found.captured, oracle=found.oracle))


def _open_program(loading: Loading, kind: FileKind, report_progress: Callable[[str], None]) -> Source:
    from condmix.exporters.program.read import read_program

    loading.refuse_weights_flags(f"a {kind.value}")
    asked = loading.input_size
    size = None if asked is None else (asked.channels, asked.height, asked.width)
    found = read_program(
        loading.model,
        kind,
        size,
        report_progress,
        allow_pickle=loading.allow_pickle,
        any_size=loading.any_size,
    )
    usual = Preprocessing.default(found.input_size[0])
    network = LoadedNetwork(
        architecture=f"program:{loading.model.stem}",
        settings={},
        input_size=found.input_size,
        preprocessing=usual,
        class_names=None,
        source=loading.model,
        source_sha256=found.sha256,
        notes=(*found.notes, assumed(usual, "the program")),
    )
    return _named(loading, Source(network=network, captured=found.captured, oracle=found.oracle))


def _preprocessing(metadata: Mapping[str, str], channels: int) -> tuple[Preprocessing, tuple[str, ...]]:
    """What a file of ours says of it; of any other file the usual one, with a note."""
    said = _json(metadata.get("preprocessing", ""))
    if isinstance(said, dict):
        try:
            found = Preprocessing.from_dict(said)
        except (SettingsError, TypeError):
            pass
        else:
            if len(found.mean) == channels:
                return found, ()
    usual = Preprocessing.default(channels)
    return usual, (assumed(usual, "the file"),)


def _class_names(metadata: Mapping[str, str]) -> tuple[str, ...] | None:
    said = _json(metadata.get("class_names", ""))
    if isinstance(said, list) and all(isinstance(name, str) for name in said):
        return tuple(said)
    return None


def _json(text: str) -> object:
    if not text or len(text) > _LARGEST_METADATA:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
