"""The address as a picture in the terminal, where the package `segno` is installed."""

from __future__ import annotations

import importlib
import io


def qr_text(url: str) -> str | None:
    """A QR code of half blocks that a phone reads off a terminal; None without the package."""
    try:
        segno = importlib.import_module("segno")
    except ImportError:
        return None
    stream = io.StringIO()
    segno.make_qr(url, error="l").terminal(stream, compact=True, border=2)
    return stream.getvalue()
