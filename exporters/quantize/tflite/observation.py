"""The float twin of an int8 file: what is run on images to see the tensors that only the TFLite form has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from condmix.exporters.batch.generalise import generalise
from condmix.exporters.build import Prepared
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.quantize.tflite.options import TfliteInt8Options
from condmix.exporters.quantize.tflite.plan import plan_model
from condmix.exporters.quantize.tflite.scales import INTEGERS, held_tensors, missing_names
from condmix.exporters.tflite.build import refuse_oversize
from condmix.exporters.tflite.lower_graph import LoweredGraph, lower_graph
from condmix.exporters.tflite.write import write_model
from condmix.runtime.joint_inputs import as_batch, feeds
from condmix.runtime.litert_session import LiteRtBackend

BANK = "normalised"
"""Experts divided by their output channel's largest element: one int8 scale then serves a bank."""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """A float file for one image a call, NHWC, and the tensors in it whose ranges have to be observed."""

    content: bytes
    names: tuple[str, ...]

    def run(self) -> Callable[[np.ndarray], Mapping[str, np.ndarray]]:
        """A call takes one image (channels, height, width) and gives those tensors; for `observe`.

        Raises EngineMissingError without LiteRT.
        """
        session = LiteRtBackend().open(self.content, threads=1, preserve_all_tensors=True)
        names = [tensor.name for tensor in session.signature.inputs]

        def call(image_chw: np.ndarray) -> Mapping[str, np.ndarray]:
            given = feeds(as_batch(image_chw), names, channels_last=True)
            session.run({name: array.astype(np.float32) for name, array in given.items()})
            return {name: session.tensor(name) for name in self.names}

        return call


def observation(prepared: Prepared, options: TfliteInt8Options) -> Observation:
    """What has to be observed for a file with these options before `build_int8`; `Ranges.inner["tflite"]` takes it.

    The ranges of all graph values are taken for granted. No names: nothing is to be observed. The graph is left as
    it was. `float_layers` only take names away.
    """
    lowered = float_twin(prepared, batch=1, layout="nhwc", metadata={})
    names: tuple[str, ...] = ()
    if options.needs_ranges:
        plan = plan_model(lowered.model, options.mode, options.float_layers)
        held = held_tensors(lowered.model, plan, INTEGERS[options.mode])
        names = missing_names(lowered.model, held, frozenset(lowered.tensor_of_value.values()))
    return Observation(content=write_model(lowered.model), names=names)


def float_twin(prepared: Prepared, *, batch: int, layout: str, metadata: Mapping[str, str]) -> LoweredGraph:
    """The float model that an int8 one is made of. Raises NotExportableError."""
    model = prepared.model.clone()
    generalise(model, BatchAxis(size=batch))
    refuse_oversize(model)
    return lower_graph(
        model,
        description=metadata.get("architecture", "") or "condmix",
        layout=layout,
        bank=BANK,
        element_bytes=1,
        metadata=metadata,
    )
