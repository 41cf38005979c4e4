"""All foreign networks in one explicit tuple: styles of CondConv, styles of MixConv, lookalikes."""

from __future__ import annotations

from tests.foreign.branch_details import BRANCH_BIAS, BRANCH_NORM
from tests.foreign.case import ForeignCase
from tests.foreign.chosen_expert import CHOSEN_EXPERT
from tests.foreign.chunk_split import CHUNK_SPLIT
from tests.foreign.dilated_branches import DILATED_BRANCHES
from tests.foreign.every_input_mix import EVERY_INPUT_MIX
from tests.foreign.expert_bias import EXPERT_BIAS
from tests.foreign.expert_sums import EXPERT_SUMS
from tests.foreign.film import FILM
from tests.foreign.five_axis_bank import FIVE_AXIS_BANK
from tests.foreign.flat_bank import FLAT_BANK, FLAT_BANK_SAME
from tests.foreign.grouped_dense import GROUPED_DENSE
from tests.foreign.grouped_pointwise import GROUPED_POINTWISE, UNEVEN_POINTWISE
from tests.foreign.hypernetwork import HYPERNETWORK_LINEAR, HYPERNETWORK_TANH
from tests.foreign.mixed_classifier import MIXED_CLASSIFIERS
from tests.foreign.modulated_conv import MODULATED_CONV
from tests.foreign.normalised_kernel import NORMALISED_KERNELS
from tests.foreign.odd_slices import (
    CASCADE,
    HALF_UNTOUCHED,
    OVERLAPPING_SLICES,
    SLICES_REORDERED,
    SLICES_WITH_GAP,
)
from tests.foreign.omni_attention import OMNI_ATTENTION
from tests.foreign.omni_depthwise import OMNI_DEPTHWISE
from tests.foreign.omni_kernel import OMNI_KERNEL
from tests.foreign.ordinary_groups import ORDINARY_GROUPS
from tests.foreign.pointwise_product import POINTWISE_BMM, POINTWISE_EINSUM, POINTWISE_MATMUL
from tests.foreign.routing_elsewhere import ROUTING_ELSEWHERE
from tests.foreign.routing_forms import ROUTING_LINEAR, ROUTING_NORMALISED, ROUTING_ONE_HOT
from tests.foreign.sample_loop import SAMPLE_LOOP
from tests.foreign.self_attention import SELF_ATTENTION
from tests.foreign.shared_kernel import SHARED_KERNEL
from tests.foreign.sigmoid_attention import SIGMOID_ATTENTION
from tests.foreign.slice_split import SLICE_SPLIT
from tests.foreign.softmax_attention import SOFTMAX_ATTENTION
from tests.foreign.split_dict import SPLIT_DICT, SPLIT_DICT_SAME
from tests.foreign.stacked_bank import STACKED_BANK
from tests.foreign.top_k_routing import TOP_K_GATHER, TOP_K_MASK
from tests.foreign.transposed_mix import TRANSPOSED_MIX
from tests.foreign.uneven_split import EXPONENTIAL_SPLIT, UNEVEN_SPLIT
from tests.foreign.weighted_sums import WEIGHTED_SUMS

FOREIGN_CASES: tuple[ForeignCase, ...] = (
    FLAT_BANK,
    FLAT_BANK_SAME,
    FIVE_AXIS_BANK,
    STACKED_BANK,
    SIGMOID_ATTENTION,
    SOFTMAX_ATTENTION,
    SAMPLE_LOOP,
    *WEIGHTED_SUMS,
    *MIXED_CLASSIFIERS,
    EXPERT_BIAS,
    *EXPERT_SUMS,
    SHARED_KERNEL,
    POINTWISE_BMM,
    POINTWISE_MATMUL,
    POINTWISE_EINSUM,
    GROUPED_DENSE,
    ROUTING_NORMALISED,
    ROUTING_LINEAR,
    ROUTING_ONE_HOT,
    HYPERNETWORK_LINEAR,
    OMNI_ATTENTION,
    OMNI_DEPTHWISE,
    OMNI_KERNEL,
    TRANSPOSED_MIX,
    ROUTING_ELSEWHERE,
    TOP_K_MASK,
    SPLIT_DICT,
    SPLIT_DICT_SAME,
    CHUNK_SPLIT,
    SLICE_SPLIT,
    UNEVEN_SPLIT,
    EXPONENTIAL_SPLIT,
    GROUPED_POINTWISE,
    UNEVEN_POINTWISE,
    DILATED_BRANCHES,
    BRANCH_NORM,
    BRANCH_BIAS,
    FILM,
    HYPERNETWORK_TANH,
    *NORMALISED_KERNELS,
    MODULATED_CONV,
    CHOSEN_EXPERT,
    TOP_K_GATHER,
    SELF_ATTENTION,
    EVERY_INPUT_MIX,
    ORDINARY_GROUPS,
    OVERLAPPING_SLICES,
    SLICES_WITH_GAP,
    SLICES_REORDERED,
    HALF_UNTOUCHED,
    CASCADE,
)
