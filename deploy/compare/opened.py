"""The network to compare, from whatever holds it: weights and code, or a program of torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from condmix.deploy.compare.stock import stock_onnx, stock_onnx_of_program
from condmix.deploy.loading import Loading, load_network
from condmix.deploy.source import open_source
from condmix.models.file_kind import identify
from condmix.models.network import LoadedNetwork

IMAGE_INPUT = "input"
"""As captures call it."""


@dataclass(frozen=True, kw_only=True)
class OpenedNetwork:
    """What is known of the network, and what torch.onnx.export makes of it; `stock` raises what that raises."""

    network: LoadedNetwork
    stock: Callable[[], bytes]


def open_network(loading: Loading) -> OpenedNetwork:
    """The network in a weights file, a .pt2 or a TorchScript file. Raises what loading it raises."""
    kind = identify(loading.model)
    if kind.is_program:
        source = open_source(loading, lambda _stage: None)
        size = source.network.input_size
        return OpenedNetwork(
            network=source.network,
            stock=lambda: stock_onnx_of_program(loading.model, kind, size, allow_pickle=loading.allow_pickle),
        )
    network = load_network(loading)
    if loading.more_inputs:
        shapes = {IMAGE_INPUT: network.input_size, **loading.more_inputs}
        network = dataclasses.replace(network, input_shapes=shapes)
    return OpenedNetwork(
        network=network, stock=lambda: stock_onnx(network.module, network.input_size, loading.more_inputs)
    )
