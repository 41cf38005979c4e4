"""Proof that every stage of an export computes what PyTorch computes."""

from __future__ import annotations

from condmix.exporters.verify.verify import verify

__all__ = ["verify"]
