"""The rows of our own ONNX file, untuned and tuned, made anew beside those that are there."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from condmix.deploy.bench import peers_tune
from condmix.deploy.bench.peers_rows import STOCK, load, save
from condmix.deploy.bench.peers_tune import TUNED, UNTUNED, tune_row
from condmix.deploy.bench.subjects import Subject
from condmix.deploy.tune.plan import TunePlan
from condmix.exporters.records import LayerForm
from tests.deploy.peer_fakes import reference, row


def test_the_rows_hold_files_of_today_and_the_others_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "mixnet_digits"
    folder.mkdir()
    old = [row(STOCK, file="stock.onnx"), row(UNTUNED, file="condmix.onnx"), row("OpenVINO", file="openvino.xml")]
    save(folder, old, {"network": reference()})
    plans: list[TunePlan] = []

    def tune(plan: TunePlan, *_: object, **__: object) -> SimpleNamespace:
        plans.append(plan)
        forms = (LayerForm(layer="blocks.1.depthwise", form="parallel"),)
        return SimpleNamespace(forms=forms, finisher="portable", lines=lambda: ["0.9 of the untuned one"])

    monkeypatch.setattr(peers_tune, "tune", tune)
    said: list[str] = []
    for _ in range(2):
        tune_row(
            Subject(network="mixnet_digits", forms={}, twin=None, settings={"in_channels": 3}), folder, 32, said.append
        )
    rows, _ = load(folder)
    assert [(one.name, one.file) for one in rows] == [
        (STOCK, "stock.onnx"),
        (UNTUNED, "condmix.onnx"),
        (TUNED, "condmix-tuned.onnx"),
        ("OpenVINO", "openvino.xml"),
    ]
    assert (folder / "condmix.onnx").read_bytes() != (folder / "condmix-tuned.onnx").read_bytes()
    assert said[1] == "0.9 of the untuned one"
    assert {plan.cache for plan in plans} == {tmp_path / "tuning.json"}
