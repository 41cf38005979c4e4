"""Labels are translated to the network's numbers, or refused with names."""

from __future__ import annotations

import numpy as np
import pytest

from condmix.deploy.class_labels import class_of_folders, labels_from_array, number_problem, shown

ANIMALS = ("cat", "dog", "emu")


def test_folders_are_classes_by_name() -> None:
    assert class_of_folders(["emu", "cat"], ANIMALS, 3) == {"emu": 2, "cat": 0}


def test_folders_without_known_names_are_classes_by_number() -> None:
    assert class_of_folders(["0", "2", "10"], None, 11) == {"0": 0, "2": 2, "10": 10}


def test_folders_with_unknown_names_are_classes_in_order() -> None:
    assert class_of_folders(["n02", "n01"], None, 2) == {"n01": 0, "n02": 1}
    assert class_of_folders(["n02", "n01"], None, None) == {"n01": 0, "n02": 1}


@pytest.mark.parametrize(
    ("names", "class_names", "count", "problem"),
    [
        (
            ["cat", "cow"],
            ANIMALS,
            3,
            "1 of 2 class folders are no classes of the network: cow; its classes are cat, dog, emu",
        ),
        (["0", "11"], None, 10, "labels 11 are no classes of the network: expected 0 to 9"),
        (["1", "01"], None, 10, "two class folders are the same number: 1, 01"),
        (
            ["n01", "n02"],
            None,
            3,
            "2 class folders (n01, n02), but the network tells 3 classes apart, whose names it does not know: name the "
            "folders by the class's number, from 0",
        ),
    ],
)
def test_folders_that_are_no_classes_are_named(
    names: list[str], class_names: tuple[str, ...] | None, count: int, problem: str
) -> None:
    assert class_of_folders(names, class_names, count) == problem


def test_numbers_are_taken_as_the_networks_own() -> None:
    found = labels_from_array(np.array([2, 0], np.uint8), 2, None, ANIMALS, 3)
    assert isinstance(found, np.ndarray)
    assert (found.tolist(), found.dtype) == ([2, 0], np.int64)


def test_numbers_with_names_are_translated() -> None:
    found = labels_from_array(np.array([0, 1, 1]), 3, ["emu", "cat"], ANIMALS, 3)
    assert isinstance(found, np.ndarray)
    assert found.tolist() == [2, 0, 0]


@pytest.mark.parametrize(
    ("labels", "own_names", "problem"),
    [
        (np.array([0, 1]), None, "labels are int64 of shape (2,): expected whole numbers of shape (3,)"),
        (np.eye(3, dtype=np.int64), None, "labels are int64 of shape (3, 3): expected"),
        (np.array([0.0, 1, 2]), None, "labels are float64 of shape (3,): expected"),
        (np.array([0, -1, 7]), None, "labels -1, 7 are no classes of the network: expected 0 to 2"),
        (np.array([0, 1, 2]), ["cat", "dog"], "labels 2 are no classes of the network: expected 0 to 1"),
        (
            np.array([0, 1, 1]),
            ["cat", "cow"],
            "class_names cow are no classes of the network; its classes are cat, dog",
        ),
    ],
)
def test_labels_that_do_not_match_are_refused(labels: np.ndarray, own_names: list[str] | None, problem: str) -> None:
    found = labels_from_array(labels, 3, own_names, ANIMALS, 3)
    assert isinstance(found, str)
    assert found.startswith(problem)


def test_without_a_known_number_of_classes_only_negative_labels_are_wrong() -> None:
    assert number_problem(np.array([0, 10**6]), None) is None
    assert number_problem(np.array([-1]), None) == (
        "labels -1 are no classes of the network: expected 0 to the last class"
    )


def test_long_lists_are_cut() -> None:
    assert shown(list("abcdefgh")) == "a, b, c, d, e and 3 more"
