"""What is measured: full-size networks of the zoo, each as torch exports it, as condmix does, and as a static twin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from condmix.deploy.compare.stock import stock_onnx
from condmix.exporters.build import Build, build_from
from condmix.exporters.capture import capture
from condmix.exporters.options import ExportOptions
from condmix.exporters.verify.images import candidate_images
from condmix.models import zoo
from condmix.models.condconv import Routing
from condmix.models.settling import settled_in_one_pass

SEED = 0
IMAGES_STEP = 3
"""Every third of the verifier's candidate images settles the network: enough kinds, a third of the time."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One network and the forms of it that are measured beside the stock file."""

    network: str
    forms: Mapping[str, Mapping[str, str]]
    """Name in the table -> export options."""
    twin: str | None
    """The zoo's name of the same network with ordinary convolutions, where it has one."""
    settings: Mapping[str, object] = field(default_factory=dict)


MIXED: Mapping[str, Mapping[str, str]] = {
    "condmix": {},
    "condmix parallel": {"mixconv": "parallel"},
    "condmix hoisted": {"mixconv": "hoisted"},
    "condmix merged": {"mixconv": "merged"},
    "condmix blocked": {"condconv": "blocked"},
}
CONDITIONAL: Mapping[str, Mapping[str, str]] = {
    "condmix": {},
    "condmix kernel": {"condconv": "kernel"},
    "condmix experts": {"condconv": "experts"},
    "condmix blocked": {"condconv": "blocked"},
    "condmix blocked, int8 experts": {"condconv": "blocked", "experts": "int8"},
}
SUBJECTS = (
    Subject(network="mixnet_s", forms=MIXED, twin=None),
    Subject(network="mixnet_l", forms=MIXED, twin=None),
    Subject(network="condconv_efficientnet_b0_8e", forms=CONDITIONAL, twin="efficientnet_b0"),
    Subject(network="condconv_efficientnet_b0_4e", forms=CONDITIONAL, twin="efficientnet_b0"),
    Subject(network="condconv_mobilenet_v2", forms=CONDITIONAL, twin="mobilenet_v2"),
)


def settled_network(name: str, settings: Mapping[str, object], size: int) -> nn.Module:
    """The network in eval mode, untrained, but with norms and routing as a trained one has on ordinary images."""
    images = torch.from_numpy(candidate_images((3, size, size)).array_nchw[::IMAGES_STEP])
    return settled_in_one_pass(lambda: zoo.build(name, settings), seed=SEED, images=images, routers=_routers)


def _routers(network: nn.Module) -> list[str]:
    return [f"{path}.linear" for path, module in network.named_modules() if isinstance(module, Routing)]


def stock_bytes(module: nn.Module, size: int) -> bytes:
    """The network as `torch.onnx.export(dynamo=True)` writes it, all options at their defaults."""
    return stock_onnx(module, (3, size, size))


def condmix_bytes(subject: Subject, module: nn.Module, size: int) -> dict[str, bytes]:
    """The network in every form of the subject; captured once."""
    captured = capture(module, (3, size, size))
    files: dict[str, bytes] = {}
    for name, choices in subject.forms.items():
        made: Build = build_from(captured, ExportOptions(**choices), {}, lambda _stage: None)  # type: ignore[arg-type]
        files[name] = made.final.proto.SerializeToString()
    return files
