"""Pictures read from scikit-learn's folder are those that it gives itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from condmix.exporters.verify import pictures
from condmix.exporters.verify.pictures import Pictures, load_pictures


def same(first: Pictures, second: Pictures) -> bool:
    return (
        all(np.array_equal(a, b) for a, b in zip(first.photographs, second.photographs, strict=True))
        and np.array_equal(first.digits, second.digits)
        and np.array_equal(first.numbers, second.numbers)
    )


def test_they_are_those_of_the_library() -> None:
    found = load_pictures()
    assert same(found, pictures._imported())
    assert [photograph.shape for photograph in found.photographs] == [(427, 640, 3)] * 2
    assert found.digits.shape == (1797, 8, 8)


def test_the_library_is_not_imported() -> None:
    code = (
        "import sys; from condmix.exporters.verify.pictures import load_pictures; load_pictures(); "
        "sys.exit('sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_files_that_lie_elsewhere_are_asked_of_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_folder: Path) -> Pictures:
        raise FileNotFoundError

    expected = load_pictures()
    monkeypatch.setattr(pictures, "_read", absent)
    assert same(load_pictures(), expected)
