"""The same members give the same bytes, which the reader accepts."""

from __future__ import annotations

import io
import zipfile

from condmix.deploy.bundle.zip_content import zip_content
from condmix.runtime.bundle.limits import LIMITS
from condmix.runtime.bundle.zip_form import read_form


def test_the_same_whatever_the_order_and_the_time() -> None:
    members = {"b.onnx": bytes(3 << 20), "a.md": b"text " * 100, "größe.json": b"{}"}
    content = zip_content(members)
    assert content == zip_content(dict(reversed(members.items())))
    form = read_form(io.BytesIO(content), LIMITS)
    assert form.problems == ()  # a network of zeros is no bomb either
    assert [(one.filename, one.compress_type) for one in form.members] == [
        ("a.md", zipfile.ZIP_DEFLATED),
        ("b.onnx", zipfile.ZIP_STORED),
        ("größe.json", zipfile.ZIP_DEFLATED),
    ]
    assert {one.date_time for one in form.members} == {(1980, 1, 1, 0, 0, 0)}
