"""One reference for all files of a network: the same images for each, since routing may change what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from condmix.deploy.compare.variants import OURS, OURS_BANKS, OURS_INT8, STOCK, STOCK_INT8
from condmix.runtime.bench.reference import Limit, Reference


def common_reference(references: Mapping[str, Reference], stock_names: Mapping[str, str]) -> Reference | None:
    """The images of the int8 export where there is one, else those of the float export, with the limits of all files.

    A float file was held to a share of its largest output; on other images it is held to the same share of theirs.
    A stock file is held to what our files of the same arithmetic are held to, if there are any.

    references: by export. stock_names: of the stock files by variant. None without any reference.
    """
    shown = next((references[title] for title in (OURS_INT8, OURS, OURS_BANKS) if title in references), None)
    if shown is None:
        return None
    limits: dict[str, Limit] = {}
    for title, reference in references.items():
        growth = _largest(shown) / _largest(reference) if _largest(reference) > 0 else 1.0
        own = {name: _grown(limit, growth) for name, limit in reference.limits.items()}
        limits |= own
        stock = {OURS: STOCK, OURS_INT8: STOCK_INT8}.get(title)
        if stock is not None and stock in stock_names and own:
            limits[stock_names[stock]] = next(iter(own.values()))
    return replace(shown, limits=limits)


def _largest(reference: Reference) -> float:
    return max(float(np.abs(rows).max()) for rows in reference.outputs.values())


def _grown(limit: Limit, growth: float) -> Limit:
    if limit.max_abs_difference is None:
        return limit
    return replace(limit, max_abs_difference=limit.max_abs_difference * growth)
