"""Plans that once failed, as hypothesis printed them: each is exported again in every run.

A failing example ends with `NetworkPlan(...)`; it is copied here with a word on what was wrong.
"""

from __future__ import annotations

from tests.random_networks.plan import CondConv, NetworkPlan, Shape, Window

KEPT: tuple[tuple[str, NetworkPlan], ...] = (
    (
        # Not a failure of an export: the smallest of all plans, so that the list is never empty.
        "smallest",
        NetworkPlan(
            seed=0,
            image=Shape(channels=3, height=5, width=5),
            layers=(CondConv(channels=3, window=Window(kernel=(3, 3)), experts=2),),
            classes=3,
        ),
    ),
)
