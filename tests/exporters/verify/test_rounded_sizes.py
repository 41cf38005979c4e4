"""An int8 file for any size passes only when it passes at every one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from condmix.exporters.sizes.choice import FreeSize
from condmix.exporters.verify.rounded import RoundedLimits, RoundedVerification, Way, verify_rounded
from condmix.exporters.verify.rounded_sizes import RoundedSize, RoundedSizes

SIZES = FreeSize(step=1, captured=((8, 8), (9, 12)), held_out=((11, 7),))


def verification(error: float) -> RoundedVerification:
    """Of a file that gives its input with that error."""
    images = np.linspace(0, 1, 2 * 3 * 4 * 4, dtype=np.float32).reshape(2, 3, 4, 4)

    def run(shown: np.ndarray) -> dict[str, np.ndarray]:
        return {"y": shown + error}

    return verify_rounded(
        run,
        [Way(name="again", run=run)],
        images,
        {"y": images.astype(np.float64)},
        input_step=1 / 255,
        output_steps={"y": 1 / 255},
        limits=RoundedLimits(),
    )


def sized(*cases: RoundedSize) -> RoundedVerification:
    return replace(verification(0.001), sizes=RoundedSizes(sizes=SIZES, cases=cases))


def test_a_file_that_holds_everywhere_passes() -> None:
    found = sized(*(RoundedSize(sides=sides, verification=verification(0.002)) for sides in SIZES.proven[1:]))
    assert found.passed
    assert found.sizes is not None
    assert found.sizes.sentence().startswith("any height and width: at 9x12, 11x7 in every way of running, SQNR ")
    assert [case["size"] for case in found.to_dict()["sizes"]["cases"]] == ["9x12", "11x7"]  # type: ignore[index]


def test_one_size_that_is_off_spoils_the_file() -> None:
    good = RoundedSize(sides=(9, 12), verification=verification(0.002))
    found = sized(good, RoundedSize(sides=(11, 7), verification=verification(0.9)))
    (problem,) = found.problems()
    assert problem.startswith("at 11x7: output 'y' is too far from the float network: ")


def test_a_file_that_does_not_run_or_was_not_run_has_not_passed() -> None:
    failed = RoundedSize(sides=(9, 12), verification=None, failure="it stopped")
    assert sized(failed).problems() == ("at 9x12: it stopped",)
    assert failed.to_dict() == {"size": "9x12", "verification": None, "failure": "it stopped"}
    assert sized().problems() == ("it was run at no other size",)
    assert "sizes" not in verification(0.001).to_dict()
