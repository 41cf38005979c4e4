"""Why a layer has its form, in figures."""

from __future__ import annotations

from collections.abc import Mapping

from condmix.exporters.tune.assembly import Assembly, SiteClass


def reasons(
    classes: tuple[SiteClass, ...], winner: Assembly, swapped: Mapping[str, str], machine: str
) -> dict[str, str]:
    """signature -> the reason. swapped: of classes that were decided on the whole network, in words."""
    return {one.signature: _reason(one, winner, swapped.get(one.signature), machine) for one in classes}


def _reason(one: SiteClass, winner: Assembly, swapped: str | None, machine: str) -> str:
    chosen, table = winner.chosen[one.signature], one.table
    if one.run is None:
        return f"by the written rule, not measured: {one.skipped}"
    if swapped is not None:
        return f"the whole network measured {swapped} with it, on {machine}"
    floor = "" if one.run.noise_floor is None else f", noise floor {one.run.noise_floor:.2f}"
    if chosen != table:
        return f"its block measured {one.run.of(chosen.name).words()} of `{table.name}` on {machine}{floor}"
    others = [timed for timed in one.run.candidates if timed.name != table.name and timed.ratio is not None]
    if not others:
        return f"no other form could be measured on {machine}"
    nearest = min(others, key=lambda timed: timed.ratio or 0.0)
    return f"measured on {machine}: `{nearest.name}` takes {nearest.words()} of its time in its block{floor}"
