"""How large files and memory are said to be."""

from __future__ import annotations


def file_size(size_bytes: int) -> str:
    """In decimal units, as file managers count."""
    if size_bytes < 1_000_000:
        return f"{size_bytes / 1e3:.1f} kB"
    return f"{size_bytes / 1e6:.1f} MB"
