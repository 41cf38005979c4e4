"""Tensors that must be held with one scale: what moves elements cannot rescale them."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)


class Ties(Generic[Item]):
    """Items in groups that grow together (disjoint sets)."""

    def __init__(self) -> None:
        self._parent: dict[Item, Item] = {}

    def group(self, item: Item) -> Item:
        """The item that stands for all that are tied to this one."""
        root = item
        while (parent := self._parent.get(root, root)) != root:
            root = parent
        while (parent := self._parent.get(item, item)) != root:
            self._parent[item] = root
            item = parent
        return root

    def tie(self, left: Item, right: Item) -> None:
        """From now on both are in one group."""
        self._parent[self.group(left)] = self.group(right)
