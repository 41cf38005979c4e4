"""Every stored number of a rounded bank lies within half a step of the exact one, on the finest grid that holds it."""

from __future__ import annotations

import numpy as np
import pytest

from condmix.exporters.verify.stored_banks import StoredBank, bank_problems

EXACT = np.random.default_rng(0).standard_normal((4, 60)).astype(np.float32)
STEP = float(np.abs(EXACT).max()) / 127


def rounded(step: float = STEP) -> np.ndarray:
    numbers: np.ndarray = np.rint(EXACT / step).astype(np.int8)
    return numbers


def problems(stored: np.ndarray, step: float = STEP, name: str = "a") -> tuple[str, ...]:
    exact = {"a": StoredBank(stored=EXACT, step=1.0)}
    return bank_problems(exact, {name: StoredBank(stored=stored, step=step)})


def test_rounding_is_no_problem() -> None:
    assert problems(rounded()) == ()


def test_numbers_one_step_off_are_counted() -> None:
    stored = rounded()
    stored[0, :3] -= 1
    (problem,) = problems(stored)
    assert problem.startswith("3 of 240 numbers of the int8 bank 'a' are not the float32 ones rounded: off by up to 1.")
    assert problem.endswith("expected at most half a step")


def test_a_coarse_grid_is_no_excuse() -> None:
    step = 8 * STEP
    assert problems(rounded(step), step) == (
        f"the int8 bank 'a' has steps of {step:.2e}: {STEP:.2e} would hold its largest number",
    )


@pytest.mark.parametrize(("name", "stored"), [("b", rounded()), ("a", rounded()[:3])])
def test_a_bank_without_an_equal(name: str, stored: np.ndarray) -> None:
    assert problems(stored, name=name) == (f"the int8 bank '{name}' has no equal among the float32 ones",)


def test_a_file_without_banks() -> None:
    assert bank_problems({"a": StoredBank(stored=EXACT, step=1.0)}, {}) == ("it holds no int8 bank at all",)


def test_nothing_but_zeros() -> None:
    zeros = {"a": StoredBank(stored=np.zeros((2, 3), np.float32), step=1.0)}
    assert bank_problems(zeros, {"a": StoredBank(stored=np.zeros((2, 3), np.int8), step=1.0)}) == ()
