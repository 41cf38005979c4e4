"""All networks of the conformance suite in one explicit tuple: the zoo, code of other people's styles, timm."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial

import pytest
import torch
from torch import Tensor, nn

from condmix.exporters.options import ExportOptions
from condmix.exporters.verify.images import candidate_images
from condmix.models import timm_source, zoo
from condmix.models.condconv import Routing
from condmix.models.settling import settled_in_one_pass
from tests.conformance.case import ConformanceCase, Export, exports
from tests.foreign.case import ForeignCase
from tests.foreign.cases import FOREIGN_CASES

CLASSES = 10


def _export(*refused: str, **options: object) -> Export:
    return Export(options=ExportOptions(**options), refused=refused)  # type: ignore[arg-type]


OLDEST, NEWER = _export(opset=17), _export(opset=22, batch=None)
THREE_IMAGES = _export(batch=3)
CONDCONV_FORMS = (
    THREE_IMAGES,
    _export(condconv="kernel"),
    _export(condconv="grouped"),
    _export(condconv="grouped", batch=3),
    _export(condconv="experts"),
    _export(condconv="experts", batch=None),
    _export(condconv="blocked"),
)
MATMUL_TAKEN = (_export(condconv="matmul"), _export(condconv="matmul", batch=3))
MATMUL_REFUSED = (_export("`matmul` needs a dense kernel", condconv="matmul", batch=None),)
MIXCONV_FORMS = (
    THREE_IMAGES,
    _export(mixconv="parallel"),
    _export(mixconv="parallel", batch=None),
    _export(mixconv="merged"),
    _export(mixconv="merged", batch=None),
)
HOISTED_TAKEN = (_export(mixconv="hoisted"), _export(mixconv="hoisted", batch=None))
HOISTED_REFUSED = (_export("`hoisted` needs a convolution", mixconv="hoisted"),)
MORE_EXPORTS: Mapping[str, tuple[Export, ...]] = {
    "flat_bank": (*CONDCONV_FORMS, *MATMUL_REFUSED, OLDEST, NEWER),
    "flat_bank_same": CONDCONV_FORMS,
    "five_axis_bank": (THREE_IMAGES,),
    "sigmoid_attention": CONDCONV_FORMS,
    "classifier_conv": (*CONDCONV_FORMS, *MATMUL_TAKEN),
    "classifier_matmul": (THREE_IMAGES, *MATMUL_TAKEN),
    "expert_bias": CONDCONV_FORMS,
    "expert_outputs": (*CONDCONV_FORMS, *MATMUL_REFUSED),
    "expert_fused": (*CONDCONV_FORMS, *MATMUL_TAKEN),
    "pointwise_bmm": (*CONDCONV_FORMS, *MATMUL_TAKEN),
    "grouped_dense": (*CONDCONV_FORMS, *MATMUL_TAKEN),
    "split_dict": (*MIXCONV_FORMS, *HOISTED_TAKEN, OLDEST, NEWER),
    "split_dict_same": (*MIXCONV_FORMS, *HOISTED_TAKEN),
    "chunk_split": (THREE_IMAGES, *HOISTED_REFUSED),
    "slice_split": (*MIXCONV_FORMS, *HOISTED_TAKEN),
    "uneven_split": MIXCONV_FORMS,
    "uneven_pointwise": (
        _export("`hoisted` needs depthwise branches", mixconv="hoisted"),
        _export("`merged` needs depthwise branches", mixconv="merged", batch=None),
    ),
    "dilated_branches": MIXCONV_FORMS,
    "shared_kernel": (_export("it merges the batch axis with another", batch=3),),
    "omni_attention": (THREE_IMAGES,),
    "condconv_digits": (*CONDCONV_FORMS, *MATMUL_REFUSED, OLDEST, NEWER),
    "mixnet_digits": (*MIXCONV_FORMS, *HOISTED_TAKEN, OLDEST, NEWER),
    "condconv_mobilenet_v1": (THREE_IMAGES,),
    "mixconv_mobilenet_v1": (THREE_IMAGES, _export(mixconv="merged")),
    "timm:tf_efficientnet_cc_b0_4e": (
        THREE_IMAGES,
        _export(condconv="grouped", batch=3),
        _export(condconv="blocked"),
    ),
    "timm:tf_mixnet_s": (THREE_IMAGES, _export(mixconv="merged", batch=None)),
}
"""Builds beyond one image and any batch: forced forms, a fixed batch, other operator sets."""

DYNAMIC_REFUSED: Mapping[str, tuple[str, ...]] = {
    "shared_kernel": ("blocks.0.0.routing: Reshape", "it merges the batch axis with another"),
    "hypernetwork_tanh": ("blocks.0.0: Conv", "blocks.2.0: Conv", "its weights depend on the image"),
    "kernel_by_norm": ("blocks.0.0: Conv", "blocks.1.0: Conv", "its weights depend on the image"),
    "kernel_standardised": ("blocks.0.0: Conv", "blocks.1.0: Conv", "its weights depend on the image"),
    "kernel_by_routing_sum": ("blocks.0.0: Conv", "blocks.1.0: Conv", "its weights depend on the image"),
    "modulated_conv": ("blocks.0.0: Conv", "blocks.1.0: Conv", "its weights depend on the image"),
    "chosen_expert": ("blocks.0.0: Conv", "blocks.1.0: Conv", "its weights depend on the image"),
    "top_k_gather": ("blocks.0.0: Conv", "its weights depend on the image"),
}
"""Right at batch 1 only: kernels computed per image that are no mixtures, and code that is wrong in batches itself."""

QUICK = (
    "flat_bank",
    "classifier_bmm",
    "shared_kernel",
    "split_dict_same",
    "uneven_pointwise",
    "kernel_by_norm",
)
"""The quickest case of each kind: CondConv and MixConv in all their forms and as 1x1, a layer refused, a batch refused.
Networks of the zoo go through the command line in tests/deploy."""

NIGHTLY = (
    "timm:efficientnet_cc_b1_8e",
    "timm:tf_efficientnet_cc_b1_8e",
    "timm:mixnet_xl",
    "timm:mixnet_xxl",
    "timm:tf_mixnet_m",
    "timm:tf_mixnet_l",
    "timm:efficientnet_cc_b0_4e",
    "timm:efficientnet_cc_b0_8e",
    "timm:tf_mixnet_s",
    "efficientnet_b0_depth",
    "timm:tf_efficientnet_cc_b0_8e",
    "timm:mixnet_m",
    "timm:mixnet_l",
    "mixnet_m",
    "mixnet_l",
    "mixnet_xl",
    "condconv_efficientnet_b0_8e",
    "condconv_efficientnet_b0_depth_8e",
)
"""Larger copies of networks that are cases themselves: half a minute and more each, so run by make nightly."""

NIGHTLY_DETECTORS = (
    "ssd_condconv_mobilenet_v1, width 0.75",
    "ssd_condconv_mobilenet_v1, width 1",
    "ssdlite_mixconv_mobilenet_v1, width 0.5",
    "ssdlite_mixconv_mobilenet_v2, width 0.5",
    "ssdlite_mixconv_mobilenet_v1, width 1",
    "ssdlite_mixconv_mobilenet_v2, width 1",
)
"""The same of the cases in detectors.py."""


def marks(name: str, *, quick: bool) -> tuple[pytest.MarkDecorator, ...]:
    """In which run a case is: make check, make test or make nightly."""
    if name in (*NIGHTLY, *NIGHTLY_DETECTORS):
        return (pytest.mark.nightly,)
    return () if quick else (pytest.mark.slow,)


def _foreign(foreign: ForeignCase) -> ConformanceCase:
    return ConformanceCase(
        name=foreign.name,
        source="other people's style",
        style=foreign.notes,
        build=foreign.build,
        input_size=foreign.input_size,
        condconv_layers=len(foreign.condconv_layers),
        mixconv_layers=len(foreign.mixconv_layers),
        paths=frozenset(
            [f"CondConv {path}" for path in foreign.condconv_layers]
            + [f"MixConv {path}" for path in foreign.mixconv_layers]
        ),
        declined=dict(foreign.refused),
        exports=exports(*MORE_EXPORTS.get(foreign.name, ()), dynamic_refused=DYNAMIC_REFUSED.get(foreign.name, ())),
        quick=foreign.name in QUICK,
    )


def settled(name: str, settings: Mapping[str, object], size: tuple[int, int, int], seed: int) -> nn.Module:
    """A network of the zoo, or with the prefix timm: of timm, as good as trained."""

    def construct() -> nn.Module:
        if name.startswith("timm:"):
            return timm_source.build(name.removeprefix("timm:"), CLASSES, size[0])
        return zoo.build(name, settings)

    return settled_in_one_pass(construct, seed=seed, images=_images(size), routers=_routers)


@cache
def _images(size: tuple[int, int, int]) -> Tensor:
    """The pool from which verification chooses; a trained network knows the images that it is shown."""
    return torch.from_numpy(candidate_images(size).array_nchw)


def _routers(network: nn.Module) -> list[str]:
    ours = [f"{path}.linear" for path, module in network.named_modules() if isinstance(module, Routing)]
    return ours + [path for path, _ in network.named_modules() if path.endswith("routing_fn")]


def _zoo(
    name: str, seed: int, condconv: int = 0, mixconv: int = 0, two_group: int | None = None, width: float = 0.5
) -> ConformanceCase:
    entry = zoo.describe(name)
    digits = entry.family == "demonstration"
    settings: dict[str, object] = {} if digits else {"num_classes": CLASSES, "width": width}
    size = entry.input_size if digits else (3, 64, 64)
    return ConformanceCase(
        name=name,
        source="zoo",
        style=entry.summary if digits else f"{entry.summary}; width {width:g}",
        build=partial(settled, name, settings, size, seed),
        input_size=size,
        condconv_layers=condconv,
        mixconv_layers=mixconv,
        two_group_layers=two_group,
        exports=exports(*MORE_EXPORTS.get(name, ())),
        quick=name in QUICK,
    )


def _timm(name: str, seed: int, side: int, condconv: int = 0, mixconv: int = 0, two_group: int = 0) -> ConformanceCase:
    full_name, size = f"timm:{name}", (3, side, side)
    return ConformanceCase(
        name=full_name,
        source="timm",
        style="SAME padding" if name.startswith("tf_") else "symmetric padding",
        build=partial(settled, full_name, {}, size, seed),
        input_size=size,
        condconv_layers=condconv,
        mixconv_layers=mixconv,
        two_group_layers=two_group,
        exports=exports(*MORE_EXPORTS.get(full_name, ())),
        needs="timm",
    )


ZOO_CASES = (
    _zoo("condconv_mobilenet_v1", 1, condconv=17),
    _zoo("condconv_mobilenet_v2", 2, condconv=19),
    _zoo("condconv_mnasnet_a1", 3, condconv=18),
    _zoo("condconv_resnet50", 4, condconv=10, width=0.25),
    _zoo("condconv_efficientnet_b0_4e", 45, condconv=24),
    _zoo("condconv_efficientnet_b0_8e", 6, condconv=24),
    _zoo("condconv_efficientnet_b0_depth_8e", 7, condconv=33),
    _zoo("mixconv_mobilenet_v1", 8, mixconv=13),
    _zoo("mixconv_mobilenet_v2", 9, mixconv=17),
    _zoo("mixnet_s", 10, mixconv=34, two_group=21),
    _zoo("mixnet_m", 11, mixconv=41, two_group=25),
    _zoo("mixnet_l", 12, mixconv=41, two_group=25),
    _zoo("mixnet_xl", 13, mixconv=52, two_group=32),
    _zoo("mobilenet_v1", 14),
    _zoo("mobilenet_v2", 15),
    _zoo("mnasnet_a1", 16),
    _zoo("resnet50", 17, width=0.25),
    _zoo("efficientnet_b0", 18),
    _zoo("efficientnet_b0_depth", 19),
    _zoo("condconv_digits", 20, condconv=12),
    _zoo("mixnet_digits", 21, mixconv=8, two_group=4),
)
TIMM_CASES = (
    _timm("tf_efficientnet_cc_b0_4e", 31, 96, condconv=24),
    _timm("tf_efficientnet_cc_b0_8e", 32, 64, condconv=24),
    _timm("tf_efficientnet_cc_b1_8e", 33, 64, condconv=33),
    _timm("efficientnet_cc_b0_4e", 34, 64, condconv=24),
    _timm("efficientnet_cc_b0_8e", 35, 64, condconv=24),
    _timm("efficientnet_cc_b1_8e", 36, 64, condconv=33),
    _timm("mixnet_s", 37, 96, mixconv=34, two_group=21),
    _timm("mixnet_m", 38, 64, mixconv=41, two_group=25),
    _timm("mixnet_l", 39, 64, mixconv=41, two_group=25),
    _timm("mixnet_xl", 40, 64, mixconv=52, two_group=32),
    _timm("mixnet_xxl", 41, 64, mixconv=54, two_group=34),
    _timm("tf_mixnet_s", 42, 96, mixconv=34, two_group=21),
    _timm("tf_mixnet_m", 43, 64, mixconv=41, two_group=25),
    _timm("tf_mixnet_l", 44, 64, mixconv=41, two_group=25),
)
CASES: tuple[ConformanceCase, ...] = (*ZOO_CASES, *map(_foreign, FOREIGN_CASES), *TIMM_CASES)
