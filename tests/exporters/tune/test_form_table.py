"""The table of measured forms: which layers it decides, and what it says when it cannot be read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest

from condmix.exporters.build import build_prepared, prepare
from condmix.exporters.captured import Captured
from condmix.exporters.errors import TuningDataError
from condmix.exporters.options import ExportOptions
from condmix.exporters.records import LayerForm
from condmix.exporters.tune.form_table import (
    Entry,
    block_words,
    built_in,
    read_table,
    table_forms,
    target_of,
    written_table,
)
from condmix.exporters.tune.sites import find_sites
from tests.exporters.mixconv_cases import mixconv_case
from tests.exporters.sketch import Sketch

TARGET = "x86_64 avx512"
ENTRY = Entry(
    target=TARGET,
    block="MixConv 3,5 of 48 channels at 8x8",
    forms=("merged",),
    over=("hoisted",),
    ratio=0.9,
    low=0.88,
    high=0.92,
    noise_floor=0.03,
    runtime="onnxruntime 1.31.1",
    machine="A CPU",
)
WHY = (
    "by the table of measurements: its block took 0.90 (0.88 to 0.92) of `hoisted` on A CPU, x86_64 avx512, "
    "onnxruntime 1.31.1"
)


def model() -> ir.Model:
    case = mixconv_case(in_channels=(16, 32), kernels=(3, 5), input_size=(8, 8))
    sketch = Sketch()
    sketch.input("x", (1, 48, 8, 8))
    sketch.node("Conv", ["x", sketch.constant("w", np.ones((48, 48, 1, 1), np.float32))], "expanded")
    case.add_to(sketch, "expanded", "y")
    return sketch.model("y")


def test_an_entry_decides_layers_of_its_block_on_its_kind_of_cpu() -> None:
    graph = model()
    (site,) = find_sites(graph.graph)
    entry = replace(ENTRY, block=block_words(site))
    (layer,) = site.layers
    assert table_forms(graph, TARGET, [entry]) == (LayerForm(layer=layer, form="merged", why=WHY),)
    for other in (
        replace(entry, target="x86_64 avx2"),
        replace(entry, block="MixConv 3,5 of 48 channels at 9x9"),
        replace(entry, over=("parallel",)),
        replace(entry, forms=("hoisted@7",)),
        replace(entry, forms=("merged", "dense")),
    ):
        assert table_forms(graph, TARGET, [other]) == ()


@pytest.mark.parametrize(
    ("architecture", "features", "target"),
    [
        ("x86_64", ("AVX2", "AVX-512F"), "x86_64 avx512"),
        ("x86_64", ("AVX2",), "x86_64 avx2"),
        ("aarch64", ("NEON",), "aarch64"),
    ],
)
def test_kinds_of_cpus(architecture: str, features: tuple[str, ...], target: str) -> None:
    assert target_of(architecture, features) == target


def test_a_table_is_read_as_it_was_written_and_a_damaged_one_is_named() -> None:
    assert read_table(written_table([ENTRY]), "table.json") == (ENTRY,)
    damaged = (b"{", b"[]", b'{"kind": "other"}', written_table([ENTRY]).replace(b'"ratio": 0.9', b'"ratio": "fast"'))
    for content in damaged:
        with pytest.raises(TuningDataError, match=r"table\.json"):
            read_table(content, "table.json")


def test_the_table_that_comes_along_holds_only_gains_beyond_the_noise() -> None:
    for entry in built_in():
        assert entry.high < 1
        assert entry.ratio < 1 - entry.noise_floor
        assert entry.forms != entry.over


def test_an_untuned_export_takes_it_and_says_so(captured: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = prepare(captured, ExportOptions(), {}, lambda _stage: None)
    plain = build_prepared(prepared, ExportOptions(), {}, lambda _stage: None)
    site = next(site for site in find_sites(prepared.model.graph) if site.layers == ("mix",))
    over = tuple(record.form or "" for record in plain.layers if record.path == site.layers[0])
    form = "merged" if over != ("merged",) else "parallel"
    entry = replace(ENTRY, block=block_words(site), forms=(form,), over=over)
    monkeypatch.setattr("condmix.exporters.build.built_in", lambda: (entry,))
    monkeypatch.setattr("condmix.exporters.build.target_of", lambda *_: TARGET)
    records = build_prepared(prepared, ExportOptions(), {}, lambda _stage: None).layers
    assert [(one.form, one.why) for one in records if one.path == site.layers[0]] == [(form, entry.words())]
    forced = build_prepared(prepared, ExportOptions(mixconv="parallel"), {}, lambda _stage: None).layers
    assert all("table of measurements" not in one.why for one in forced)
