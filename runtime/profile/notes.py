"""What the reader of a profile must know: sentences that carry the figures they speak of."""

from __future__ import annotations

from collections.abc import Sequence

from condmix.runtime.profile.step import Step

SUM_OF_MEDIANS = (
    "the time of an operator is its median over the profiled calls; the total is the sum of all of them, "
    "without what the engine does between operators"
)
ROOFLINE = (
    "bytes count every operand of every operator once: what stays in a cache moves faster than memory, "
    "so a module that is said to be bound by memory may do better than that roof",
    "multiply-adds are those of convolutions and matrix products; modules without any get no bound",
    "where all experts run and their results are added, their convolutions count as layers, not as kernel mixing",
)


def sum_of_faster_halves(operators: int) -> str:
    """What the times of LiteRT are."""
    return (
        "the time of an operator is the mean of the faster half of the profiled calls, which the engine tells in whole "
        f"microseconds, rounded down: up to {operators} us are lost in all, and short operators look shorter than they "
        "are; the total is the sum of all operators"
    )


def against_unprofiled(total_us: float, plain_us: float, threads: int) -> str:
    """How far the sum lies from a call that is not profiled."""
    clock = "of its own processor time" if threads == 1 else "as it passes"
    more = 100 * (total_us / plain_us - 1) if plain_us else 0.0
    sums = f"the operators sum up to {total_us:.0f} us, {more:+.1f} %"
    return f"a call that is not profiled takes {plain_us:.0f} us {clock}; {sums}"


def attribution(told: Sequence[Step], final: Sequence[Step], *, by_module: bool) -> list[str]:
    """How much time got its module by a name, how much by its neighbours, and how much has none."""
    total_us = sum(step.time_us for step in final) or 1.0
    neighbour_us = sum(
        after.time_us for before, after in zip(told, final, strict=True) if before.module is None and after.module
    )
    unattributed_us = sum(step.time_us for step in final if step.module is None)
    found = []
    if not by_module:
        found.append("the file tells no PyTorch modules: the time is listed by the names of its nodes")
    if neighbour_us:
        found.append(
            f"{100 * neighbour_us / total_us:.1f} % of the time is in operators that the engine put in to move values; "
            "they count with the module whose values they move"
        )
    found.append(f"{100 * unattributed_us / total_us:.1f} % of the time could be given no module")
    return found


def uncounted(operators: int) -> list[str]:
    """What the multiply-adds leave out."""
    return [f"the multiply-adds of {operators} operators are not counted"] if operators else []


def alignment(paired: int, unpaired: int, prepared: int) -> str:
    """How the delegate's operators were found in the file."""
    return (
        f"XNNPACK does not say which operators of the file it runs: they were paired by kind and order, {paired} of "
        f"{paired + prepared + unpaired}; {prepared} more move values for one of these, {unpaired} have no partner"
    )


def prefixes(total_us: float, shown_us: float, below_noise: Sequence[str]) -> list[str]:
    """What timing by prefixes cannot tell."""
    found = [
        "a cut ends what the delegate fuses or leaves out across it, and every value at a cut is written to memory: "
        "times of single modules may be off where the whole is not; the first module holds the cost of a call too",
        f"the whole takes {total_us:.0f} us, the modules shown sum up to {shown_us:.0f} us, "
        f"{100 * (shown_us / total_us - 1) if total_us else 0.0:+.1f} %",
    ]
    if below_noise:
        found.append(f"below the noise, and shown as 0: {', '.join(name or '(no module)' for name in below_noise)}")
    return found
