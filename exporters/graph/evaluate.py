"""Running a part of a graph: from one value to others, on numbers of one's own choosing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.facts import static_shape
from condmix.runtime.onnx_session import OnnxRuntimeBackend


class PartialGraph:
    """The subgraph that computes `targets` from `cut` and constants, ready to run on any value of `cut`."""

    def __init__(self, model: ir.Model, cut: ir.Value, targets: Sequence[ir.Value]) -> None:
        self.cut_shape = static_shape(cut)
        self._names = [target.name or "" for target in targets]
        self._cut_name = cut.name or ""
        part = ir.convenience.extract(model.graph, [cut], list(targets))
        self.constant_elements = sum(
            int(value.const_value.size) for value in part.initializers.values() if value.const_value is not None
        )
        """How many stored numbers the subgraph holds: what a mixture's experts should amount to."""
        proto = ir.to_proto(ir.Model(part, ir_version=model.ir_version))
        self._session = OnnxRuntimeBackend().open(proto.SerializeToString(), threads=1)

    def __call__(self, vector: np.ndarray) -> tuple[np.ndarray, ...]:
        """The targets for one value of the cut, given as a flat vector, in float64."""
        feeds = {self._cut_name: vector.reshape(self.cut_shape).astype(np.float32)}
        outputs = self._session.run(feeds)
        return tuple(outputs[name].astype(np.float64) for name in self._names)
