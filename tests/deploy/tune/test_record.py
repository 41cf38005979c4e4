"""What tuning found, in words and as data."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from condmix.deploy.tune.record import Tuned, forms_file
from condmix.exporters.records import LayerForm, LayerKind, LayerRecord
from condmix.exporters.tune.assembly import Assembly
from condmix.exporters.tune.measured import Timed, TimedRun
from condmix.models.network import LoadedNetwork
from tests.deploy.tune.conftest import MACHINE
from tests.exporters.tune.test_assembly import ONE, TWO, site_class
from tests.exporters.tune.test_measured import timed

TABLE = Timed(name="table", ratio=1.0, low=None, high=None)
RUN = TimedRun(candidates=(TABLE, timed("sure", 0.8)), noise_floor=0.02, median_ms=10.0)
BEST = Assembly(name="sure", chosen={"one": ONE.sure(), "two": TWO.sure()})
TUNED = Tuned(
    machine=MACHINE,
    threads=1,
    batch=1,
    measured_batch=1,
    classes=(ONE, TWO),
    networks=(RUN,),
    decided=RUN,
    chosen="sure",
    finisher="portable",
    forms=BEST.forms((ONE, TWO), {"one": "its block measured 0.80", "two": "measured"}),
    seconds=61.4,
    reused=0,
    notes=(),
)


def test_the_summary() -> None:
    assert TUNED.lines() == [
        "on local: a CPU, onnxruntime 9.9, 1 thread; 2 kinds of blocks, 6 candidates, 1 runs of whole networks in 61 s",
        "whole network 0.80 (0.79 to 0.81) of the untuned one; noise floor 0.02",
        "a, b: merged: its block measured 0.80",
    ]
    again = replace(TUNED, threads=2, reused=3).lines()[0]
    assert again.endswith(
        "2 threads; 2 kinds of blocks, 6 candidates, 1 runs of whole networks in 61 s, 3 from the cache"
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"chosen": "table"}, "nothing was faster than the written rule's forms beyond the noise; noise floor 0.02"),
        ({"decided": None}, "no whole network was measured: the written rule's forms stay"),
        ({"decided": None, "classes": ()}, "nothing was measured: the written rule's forms stay"),
        (
            {"decided": None, "classes": (site_class("x", {"kernel": 1.0, "matmul": 1.3}),)},
            "in no block another form promised to be faster: the written rule's forms stay",
        ),
        (
            {"finisher": "blocked"},
            "whole network as blocked file 0.80 (0.79 to 0.81) of the untuned one; noise floor 0.02",
        ),
    ],
)
def test_the_verdict(changes: dict[str, object], said: str) -> None:
    assert replace(TUNED, **changes).verdict() == said  # type: ignore[arg-type]


def test_a_layer_that_a_finisher_took_over_says_what_that_was_worth() -> None:
    layers = [
        LayerRecord(
            path=form,
            kind=LayerKind.COND_CONV,
            recognised=True,
            form=form,
            why="so",
            details={},
            multiply_adds=0,
            weight_bytes=0,
        )
        for form in ("blocked", "kernel")
    ]
    blocked, kernel = replace(TUNED, finisher="blocked").explained(layers)
    assert blocked.why.startswith("so; whole network as blocked file 0.80")
    assert kernel.why == "so"


def test_everything_is_plain_data() -> None:
    data = json.loads(json.dumps(TUNED.noting(["a note"]).to_dict()))
    assert data["verdict"] == TUNED.verdict()
    assert data["machine"]["runtime"] == "onnxruntime 9.9"
    assert data["forms"]["a"] == {"form": "merged", "why": "its block measured 0.80"}
    assert [block["layers"] for block in data["blocks"]] == [[["a"], ["b"]], [["c"]]]
    assert [one["name"] for one in data["blocks"][0]["candidates"]] == ["hoisted", "merged", "parallel"]
    assert data["decided"] == RUN.to_dict()
    assert data["notes"] == ["a note"]


def test_the_forms_to_share(network: LoadedNetwork) -> None:
    file = forms_file(TUNED, network)
    assert (file.network, file.input_size, file.machine) == ("condconv_digits", (1, 32, 32), "a CPU")
    assert LayerForm(layer="c", form="merged", why="measured") in file.forms
