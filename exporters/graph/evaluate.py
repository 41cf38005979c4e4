"""Running a part of a graph: from one value or several to others, on numbers of one's own choosing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.facts import static_shape
from condmix.exporters.named.functions import attach_functions
from condmix.runtime.onnx_session import OnnxRuntimeBackend


class PartialGraph:
    """The subgraph that computes `targets` from one cut, or several, and constants, ready to run on any values.

    A target that is a cut itself comes back as it was given.
    """

    def __init__(self, model: ir.Model, cut: ir.Value | Sequence[ir.Value], targets: Sequence[ir.Value]) -> None:
        cuts = [cut] if isinstance(cut, ir.Value) else list(cut)
        self.cut_shape = static_shape(cuts[0])
        self._names = [target.name or "" for target in targets]
        self._shapes = {value.name or "": static_shape(value) for value in cuts}
        computed = [target for target in targets if not any(target is value for value in cuts)]
        # Of cuts alone there is nothing to run, but a part has to have a result.
        part = ir.convenience.extract(model.graph, cuts, computed or list(targets))
        self.constant_elements = sum(
            int(value.const_value.size) for value in part.initializers.values() if value.const_value is not None
        )
        """How many stored numbers the subgraph holds: what a mixture's experts should amount to."""
        whole = ir.Model(part, ir_version=model.ir_version)
        attach_functions(whole)  # of layers that have been named already
        self._session = OnnxRuntimeBackend().open(ir.to_proto(whole).SerializeToString(), threads=1)

    def __call__(self, *vectors: np.ndarray) -> tuple[np.ndarray, ...]:
        """The targets for one value of each cut, given as flat vectors, in float64."""
        feeds = {
            name: vector.reshape(shape).astype(np.float32)
            for (name, shape), vector in zip(self._shapes.items(), vectors, strict=True)
        }
        outputs = {**feeds, **self._session.run(feeds)}
        return tuple(outputs[name].astype(np.float64) for name in self._names)
