"""How many threads PyTorch computes on, for as long as it matters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Inside, PyTorch computes on one thread; afterwards on as many as before.

    Small networks gain nothing from more, give the same numbers on every machine this way, and do not stand still
    when another program takes one of the cores: two threads then wait for each other at every operator.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
