"""The rewrites in the order in which they run. All are exact."""

from __future__ import annotations

from condmix.exporters.rewrite.drop_identity import DropIdentity
from condmix.exporters.rewrite.einsum_form import EinsumForm
from condmix.exporters.rewrite.fold_batchnorm_into_condconv import FoldBatchnormIntoCondconv
from condmix.exporters.rewrite.fold_batchnorm_into_conv import FoldBatchnormIntoConv
from condmix.exporters.rewrite.fold_batchnorm_into_mixconv import FoldBatchnormIntoMixconv
from condmix.exporters.rewrite.fold_batchnorm_through_concat import FoldBatchnormThroughConcat
from condmix.exporters.rewrite.gather_form import GatherForm
from condmix.exporters.rewrite.global_average_pool import GlobalAveragePool
from condmix.exporters.rewrite.group_pointwise_mixconv import GroupPointwiseMixconv
from condmix.exporters.rewrite.hard_swish_form import HardSwishForm
from condmix.exporters.rewrite.relu6_gate import Relu6Gate
from condmix.exporters.rewrite.reshape_form import ReshapeForm
from condmix.exporters.rewrite.rule import Rule
from condmix.exporters.rewrite.static_same_padding import StaticSamePadding

TIDY_RULES: tuple[Rule, ...] = (DropIdentity(), ReshapeForm(), GatherForm(), EinsumForm())
"""Run before recognition and after every stage: one form for shape changes, none that change nothing."""

DEFAULT_RULES: tuple[Rule, ...] = (
    *TIDY_RULES,
    StaticSamePadding(),
    FoldBatchnormIntoCondconv(),
    FoldBatchnormIntoMixconv(),
    FoldBatchnormThroughConcat(),
    FoldBatchnormIntoConv(),
    GroupPointwiseMixconv(),
    GlobalAveragePool(),
    Relu6Gate(),
    HardSwishForm(),
)
"""Run on the named graph."""
