"""A good bundle as a file and as a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runtime.bundle.bundles import contents, with_manifest, write_folder, write_zip


@pytest.fixture
def members() -> dict[str, bytes]:
    """Of a good bundle, the manifest first."""
    return with_manifest(contents())


@pytest.fixture
def bundle_file(tmp_path: Path, members: dict[str, bytes]) -> Path:
    return write_zip(tmp_path / "net.condmix.zip", members)


@pytest.fixture
def bundle_folder(tmp_path: Path, members: dict[str, bytes]) -> Path:
    return write_folder(tmp_path / "folder", members)
