"""Our ONNX file of a network as it is written today, and the one that tuning chooses on this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from condmix.deploy.bench.peers_rows import PeerRow, load, save
from condmix.deploy.bench.subjects import Subject, settled_network
from condmix.deploy.devices.run import named_devices
from condmix.deploy.tune.plan import TunePlan
from condmix.deploy.tune.run import tune
from condmix.exporters.build import build_prepared, prepare
from condmix.exporters.capture import capture
from condmix.exporters.options import ExportOptions
from condmix.exporters.tune.finisher import BLOCKED
from condmix.runtime.bench.subject import ONNXRUNTIME

UNTUNED, TUNED = "condmix, ONNX Runtime", "condmix tuned, ONNX Runtime"
CACHE = "tuning.json"
"""Beside the networks' folders: measurements of all of them."""


def tune_row(subject: Subject, folder: Path, size: int, say: Callable[[str], None]) -> None:
    """The rows `condmix` and `condmix tuned` hold files of today's code; the others stay.

    Raises FileNotFoundError before the other files were written, DeviceError.
    """
    rows, references = load(folder)
    say(f"{subject.network}: tune")
    prepared = prepare(
        capture(settled_network(subject.network, subject.settings, size), (3, size, size)),
        ExportOptions(),
        {},
        lambda _stage: None,
    )
    (device,) = named_devices([])
    plan = TunePlan(device=device, cache=folder.parent / CACHE)
    tuned = tune(plan, prepared.model, batch=1, opset=ExportOptions().opset, say=say)
    options = ExportOptions(forms=tuned.forms, condconv=BLOCKED if tuned.finisher == BLOCKED else "auto")
    made = {
        UNTUNED: ("condmix.onnx", ExportOptions()),
        TUNED: ("condmix-tuned.onnx", options),
    }
    for name, (file, choices) in made.items():
        proto = build_prepared(prepared, choices, {}, lambda _stage: None).final.proto
        (folder / file).write_bytes(proto.SerializeToString())
        fresh = PeerRow(name=name, engine=ONNXRUNTIME, file=file)
        place = next((index for index, row in enumerate(rows) if row.name == name), None)
        if place is None:
            rows.insert(1 + [row.name for row in rows].index(UNTUNED), fresh)
        else:
            rows[place] = replace(rows[place], file=file, failure=None)
    for line in tuned.lines():
        say(line)
    save(folder, rows, references)
