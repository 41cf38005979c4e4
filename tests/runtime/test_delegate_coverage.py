from itertools import pairwise

import numpy as np
import pytest

from condmix.runtime.delegate_coverage import DelegateCoverage, coverage, delegated_operators
from condmix.runtime.errors import ComparisonImpossibleError, InvalidSettingError
from condmix.runtime.litert_session import GraphNode, LiteRtBackend
from tests.runtime.tflite_files import DenseNet, DynamicDepthwise, Operator, build_tflite

BACKEND = LiteRtBackend()


def node(operator: str, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> GraphNode:
    return GraphNode(operator=operator, inputs=inputs, outputs=outputs)


def test_a_graph_that_the_delegate_takes_whole():
    found = coverage(BACKEND.open(DenseNet().to_tflite(), threads=1))
    assert found == DelegateCoverage(operators=2, delegated=2, partitions=1, not_delegated=())
    assert found.complete
    assert found.sentence() == "XNNPACK takes all 2 operators in 1 part"


def test_a_convolution_whose_kernel_is_computed_splits_the_graph():
    found = coverage(BACKEND.open(DynamicDepthwise().to_tflite(), threads=1))
    assert found.to_dict() == {
        "schema_version": 1,
        "operators": 3,
        "delegated": 2,
        "partitions": 2,
        "not_delegated": {"DEPTHWISE_CONV_2D": 1},
    }
    assert not found.complete
    assert found.sentence() == "XNNPACK takes 2 of 3 operators in 2 parts; not: DEPTHWISE_CONV_2D x1"


def test_a_graph_of_which_the_delegate_takes_nothing():
    names = [f"t{number}" for number in range(4)]
    model = build_tflite(
        {name: ((2,), "int32") for name in names},
        [Operator(name="NEG", inputs=[before], outputs=[after]) for before, after in pairwise(names)],
        inputs=["t0"],
        outputs=["t3"],
    )
    session = BACKEND.open(model, threads=1)
    assert session.run({"t0": np.array([5, -6], np.int32)})["t3"].tolist() == [-5, 6]
    assert coverage(session).sentence() == "XNNPACK takes none of 3 operators; not: NEG x3"


def test_what_is_left_is_told_most_frequent_first():
    found = DelegateCoverage(
        operators=366, delegated=356, partitions=9, not_delegated=(("DEPTHWISE_CONV_2D", 8), ("SPLIT", 2))
    )
    text = "XNNPACK takes 356 of 366 operators in 9 parts; not: DEPTHWISE_CONV_2D x8, SPLIT x2"
    assert found.sentence() == text


def test_the_walk_stops_at_what_a_partition_is_given_and_at_constants():
    operators = [
        node("A", (0,), (1,)),
        node("B", (1, 9), (2,)),  # 9 is a constant
        node("C", (2,), (3,)),
        node("D", (3, 1), (4,)),
        node("E", (3, 4), (5,)),
    ]
    partitions = [node("DELEGATE", (1, 9), (2,)), node("DELEGATE", (3, 1), (4, 5))]
    assert delegated_operators(operators, partitions) == {1, 3, 4}
    assert delegated_operators(operators, []) == frozenset()


@pytest.mark.parametrize(
    ("delegate", "preserve", "problems"),
    [
        (False, False, ("the session was opened without the delegate: open it with delegate=True",)),
        (True, True, ("the session preserves its tensors: open it with preserve_all_tensors=False",)),
    ],
)
def test_sessions_that_prove_nothing_are_refused(delegate: bool, preserve: bool, problems: tuple[str, ...]):
    session = BACKEND.open(DenseNet().to_tflite(), threads=1, delegate=delegate, preserve_all_tensors=preserve)
    with pytest.raises(ComparisonImpossibleError) as caught:
        coverage(session)
    assert caught.value.problems == problems


@pytest.mark.parametrize(
    ("numbers", "problem"),
    [
        ((3, 2, 1, ()), "2 delegated and 0 not delegated are not 3 operators"),
        ((2, 2, 0, ()), "2 delegated operators cannot lie in 0 partitions"),
        ((2, 2, 3, ()), "2 delegated operators cannot lie in 3 partitions"),
        ((1, -1, 0, (("A", 2),)), "operators, delegated and partitions cannot be negative"),
    ],
)
def test_counts_that_contradict_each_other_are_refused(numbers: tuple, problem: str):
    fields = dict(zip(("operators", "delegated", "partitions", "not_delegated"), numbers, strict=True))
    with pytest.raises(InvalidSettingError) as caught:
        DelegateCoverage(**fields)
    assert problem in caught.value.problems
