"""What an image costs in a call of several: every file computes what one image a call does, and has its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from condmix.deploy.bench import batches
from condmix.deploy.bench.batches import ONE, batch_files, main
from condmix.deploy.bench.subjects import Subject, settled_network
from tests.exporters.graphs import assert_same

SETTINGS = {"in_channels": 3}


def test_every_file_computes_the_same_and_has_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        batches, "SUBJECTS", (Subject(network="mixnet_digits", forms={}, twin=None, settings=SETTINGS),)
    )
    page = tmp_path / "page.md"
    done = CliRunner().invoke(main, [str(page), "--images", "2", "--runs", "3", "--size", "32"])
    assert done.exit_code == 0, done.output
    names = [line.split("|")[1].strip() for line in page.read_text().splitlines() if line.startswith("| ")]
    assert names[1:] == [
        ONE,
        "--batch 2",
        "--batch dynamic",
        "--batch 2 --in-turn",
        "--batch dynamic --in-turn",
        "TFLite, one image a call",
        "TFLite, --batch 2",
    ]
    files = batch_files(settled_network("mixnet_digits", SETTINGS, 32), 32, 2, conditional=False)
    images = np.random.default_rng(0).standard_normal((2, 3, 32, 32)).astype(np.float32)
    found = {name: next(iter(batches.runner(file, images)().values())) for name, file in files.items()}
    for name, file in files.items():
        assert_same(found["--batch 2"][: file.images], np.asarray(found[name]))
