"""A TFLite file cut short: what it computes up to an operator, as a file of its own.

LiteRT's own bindings of the format, and flatbuffers with them, are imported when a file is cut.
"""

from __future__ import annotations

import importlib
from typing import Any

from condmix.runtime.errors import EngineMissingError, one_line
from condmix.runtime.litert_session import ENGINE, EXTRA
from condmix.runtime.profile.tiny_tflite import BINDINGS


class PrefixCutter:
    """Cuts one file, again and again."""

    def __init__(self, content: bytes) -> None:
        """content: of a file that LiteRT opens. Raises EngineMissingError without LiteRT or flatbuffers."""
        try:
            self._schema: Any = importlib.import_module(BINDINGS)  # generated code without types
            self._flatbuffers: Any = importlib.import_module("flatbuffers")
        except ImportError as error:
            raise EngineMissingError(ENGINE, EXTRA, one_line(error)) from error
        self._content = content

    def prefix(self, operators: int) -> bytes:
        """The file of the first `operators` operators. It gives every value of theirs that later ones read, and those
        outputs of the whole that they write; weights of later ones are not in it."""
        model = self._schema.ModelT.InitFromPackedBuf(self._content, 0)
        graph = model.subgraphs[0]
        kept, later = graph.operators[:operators], graph.operators[operators:]
        written = dict.fromkeys(int(number) for operator in kept for number in operator.outputs)
        read_later = {int(number) for operator in later for number in operator.inputs}
        wanted = read_later | {int(number) for number in graph.outputs}
        graph.operators = kept
        graph.outputs = [number for number in written if number in wanted]
        model.signatureDefs = []
        self._drop_unused(model, {int(number) for operator in kept for number in operator.inputs})
        builder = self._flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _drop_unused(self, model: Any, read: set[int]) -> None:
        tensors = model.subgraphs[0].tensors
        used = {tensors[number].buffer for number in read if number >= 0}
        used |= {tensor.buffer for graph in model.subgraphs[1:] for tensor in graph.tensors}
        for place, buffer in enumerate(model.buffers):
            if place not in used:
                buffer.data = None
