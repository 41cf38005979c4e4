"""Labels of the user's own against the classes of the network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int64]
MOST_NAMES = 5
"""Wrong names or labels that a text lists."""


def class_of_folders(
    names: Sequence[str], class_names: Sequence[str] | None, class_count: int | None
) -> dict[str, int] | str:
    """The class of each folder, from 0; or why they are not the network's classes.

    By name where the network has class names; else by number where all folders are called by one; else in order
    of name, as torchvision's ImageFolder has it, and then there must be as many as classes.
    """
    if class_names is not None:
        strange = [name for name in names if name not in class_names]
        if strange:
            return (
                f"{len(strange)} of {len(names)} class folders are no classes of the network: {shown(strange)}; its "
                f"classes are {shown(class_names)}"
            )
        return {name: list(class_names).index(name) for name in names}
    if all(name.isascii() and name.isdecimal() for name in names):
        numbers = {name: int(name) for name in names}
        problem = number_problem(np.array(list(numbers.values())), class_count)
        if len(set(numbers.values())) < len(names):
            problem = f"two class folders are the same number: {shown(names)}"
        return problem or numbers
    if class_count is not None and len(names) != class_count:
        return (
            f"{len(names)} class folders ({shown(names)}), but the network tells {class_count} classes apart, whose "
            "names it does not know: name the folders by the class's number, from 0"
        )
    return {name: index for index, name in enumerate(sorted(names))}


def labels_from_array(
    labels: np.ndarray,
    count: int,
    own_names: Sequence[str] | None,
    class_names: Sequence[str] | None,
    class_count: int | None,
) -> Labels | str:
    """The labels of `count` images as the network numbers its classes; or why they cannot be.

    own_names: what the numbers mean where the labels come from, None where that is not said.
    """
    if labels.shape != (count,) or not np.issubdtype(labels.dtype, np.integer):
        return f"labels are {labels.dtype} of shape {labels.shape}: expected whole numbers of shape ({count},)"
    if own_names is None or class_names is None:
        return number_problem(labels, class_count) or labels.astype(np.int64)
    problem = number_problem(labels, len(own_names))
    if problem:
        return problem
    strange = [name for name in own_names if name not in class_names]
    if strange:
        return f"class_names {shown(strange)} are no classes of the network; its classes are {shown(class_names)}"
    own_number = np.array([list(class_names).index(name) for name in own_names], np.int64)
    translated: Labels = own_number[labels]
    return translated


def number_problem(labels: np.ndarray, class_count: int | None) -> str | None:
    """Why the numbers are no classes of a network with that many; None when they are, as far as is known."""
    wrong = sorted({int(label) for label in labels if label < 0 or (class_count is not None and label >= class_count)})
    if not wrong:
        return None
    found = shown([str(label) for label in wrong])
    return f"labels {found} are no classes of the network: expected 0 to " + (
        "the last class" if class_count is None else str(class_count - 1)
    )


def shown(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
