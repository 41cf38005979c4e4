"""The record of an export."""

from __future__ import annotations

from condmix.deploy.record import versions


def test_versions_are_those_of_what_is_installed() -> None:
    import torch

    found = versions()
    assert found["torch"] == torch.__version__
    assert "condmix" in found
    assert found["python"].startswith("3.")
