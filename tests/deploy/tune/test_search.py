"""The search from blocks to a winner, with times that follow from what is in each file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import onnx_ir as ir
import pytest

from condmix.deploy.tune.cache import TuneCache
from condmix.deploy.tune.record import Tuned
from condmix.deploy.tune.remembered import Remembered
from condmix.deploy.tune.search import MOST_TOGETHER, Search
from condmix.exporters.tune.finisher import Finisher
from tests.deploy.tune.conftest import MACHINE, MadeUp, nodes_cost
from tests.exporters.condconv_cases import condconv_case
from tests.exporters.sketch import Sketch


@pytest.fixture(scope="session")
def rewritten() -> ir.Model:
    """Two depthwise CondConv layers of one kind and a dense one, with sums between them. Not to be changed."""
    depthwise = condconv_case(in_channels=4, out_channels=4, group=4, images=1)
    dense = condconv_case(in_channels=4, out_channels=4, images=1)
    sketch = Sketch()
    sketch.input("x", (1, 4, 7, 5))
    sketch.input("routing", (1, 3))
    last = "x"
    for name, case in (("a", depthwise), ("b", depthwise), ("c", dense)):
        case.add_to(sketch, last, "routing", f"{name}.y", module=name)
        last = sketch.node("Add", [last, f"{name}.y"], f"{name}.sum", module=f"{name}.add")
    sketch.node("Relu", [last], "y", module="end")
    return sketch.model("y")


Searched = Callable[..., Tuned]


@pytest.fixture
def searched(rewritten: ir.Model, tmp_path: Path) -> Searched:
    """Searches; measurements are kept between two searches of a test."""

    def search(
        made_up: MadeUp,
        *,
        batch: int | None = 1,
        seconds: float = 1e9,
        now: Callable[[], float] = lambda: 0.0,
        finishers: tuple[Finisher, ...] = (),
        say: Callable[[str], None] = lambda _stage: None,
    ) -> Tuned:
        cache = TuneCache(tmp_path / "cache.json")
        common = {"opset": 18, "batch": batch}
        runs = Remembered(made_up, cache, MACHINE, common, seconds=seconds, now=now)  # type: ignore[arg-type]
        return Search(rewritten, batch, 18, runs, machine=MACHINE, say=say, finishers=finishers).run(threads=1)

    return search


def forms(tuned: Tuned) -> set[str]:
    return {one.form for one in tuned.forms}


FAST_KERNELS = nodes_cost(Mul=30.0)
"""Every weighted input of `experts` is dear, so one mixed kernel wins everywhere."""


def test_the_fastest_form_of_every_layer_wins(searched: Searched) -> None:
    tuned = searched(MadeUp(FAST_KERNELS))
    assert forms(tuned) == {"kernel"}
    assert tuned.gain is not None
    assert tuned.gain.ratio is not None
    assert tuned.gain.ratio < 1
    assert tuned.verdict().startswith("whole network 0.")
    assert tuned.verdict().endswith("of the untuned one; noise floor 0.02")
    assert any("its block measured" in one.why and "of `experts` on a CPU" in one.why for one in tuned.forms)


def test_where_nothing_is_faster_the_rule_stays(searched: Searched) -> None:
    tuned = searched(MadeUp(lambda _proto: 1.0))
    assert forms(tuned) == {"experts", "kernel"}
    assert tuned.chosen == "table"
    assert tuned.gain is None
    assert tuned.verdict() == "nothing was faster than the written rule's forms beyond the noise; noise floor 0.02"


def test_what_is_faster_within_the_noise_only_is_not_taken(searched: Searched) -> None:
    made_up = MadeUp(FAST_KERNELS, floor=0.99)
    assert searched(made_up).chosen == "table"


def test_blocks_only_propose(searched: Searched, rewritten: ir.Model) -> None:
    whole = sum(1 for _ in rewritten.graph)

    def cost(proto: onnx.ModelProto) -> float:
        """Whole networks say the opposite of blocks."""
        nodes = sum(node.op_type == "Mul" for node in proto.graph.node)
        return 1000.0 - nodes if len(proto.graph.node) >= whole else 10.0 + nodes

    tuned = searched(MadeUp(cost, floor=0.0, spread=0.0))
    assert tuned.gain is None or tuned.gain.ratio is None or tuned.gain.ratio < 1
    assert "kernel" in {one.run.fastest().name for one in tuned.classes if one.run is not None}
    assert "experts" in forms(tuned)


def test_a_single_change_is_tried_where_a_block_cannot_tell(searched: Searched, rewritten: ir.Model) -> None:
    whole = sum(1 for _ in rewritten.graph)

    def cost(proto: onnx.ModelProto) -> float:
        """A block says nothing; the network is faster without weighted inputs."""
        return FAST_KERNELS(proto) if len(proto.graph.node) >= whole else 1.0

    made_up = MadeUp(cost)
    tuned = searched(made_up)
    assert tuned.gain is not None
    assert "kernel" in forms(tuned)
    assert all(len(files) <= max(MOST_TOGETHER + 1, 8) for files in made_up.asked)


def test_a_second_search_measures_nothing(searched: Searched) -> None:
    made_up = MadeUp(FAST_KERNELS)
    first = searched(made_up)
    asked = len(made_up.asked)
    second = searched(made_up)
    assert len(made_up.asked) == asked
    assert second.forms == first.forms
    assert second.reused == asked
    assert first.reused == 0
    assert f"{asked} from the cache" in second.lines()[0]


@pytest.mark.parametrize("killed_after", [1, 3, 5])
def test_killed_it_goes_on_from_there(searched: Searched, killed_after: int) -> None:
    class Killed(MadeUp):
        def run(self, *arguments: object, **more: object) -> object:  # type: ignore[override]
            if len(self.asked) == killed_after:
                raise KeyboardInterrupt
            return super().run(*arguments, **more)  # type: ignore[arg-type]

    with pytest.raises(KeyboardInterrupt):
        searched(Killed(FAST_KERNELS))
    found = searched(MadeUp(FAST_KERNELS))
    assert found.reused == killed_after
    assert forms(found) == {"kernel"}


def test_another_batch_is_another_measurement(searched: Searched) -> None:
    made_up = MadeUp(FAST_KERNELS)
    one, eight, free = searched(made_up), searched(made_up, batch=8), searched(made_up, batch=None)
    assert (one.reused, eight.reused, free.reused) == (0, 0, 0)
    assert "kernel" not in forms(eight) | forms(free)
    assert "grouped" not in forms(free)
    assert (one.measured_batch, eight.measured_batch, free.measured_batch) == (1, 8, 4)


def test_when_the_time_is_up_the_rule_stays_and_it_says_so(searched: Searched) -> None:
    clock = iter(float(second) for second in range(10_000))
    tuned = searched(MadeUp(FAST_KERNELS), seconds=5.0, now=lambda: next(clock))
    assert any("kinds of blocks were not measured and keep the written rule's forms" in note for note in tuned.notes)
    late = [one for one in tuned.classes if one.skipped is not None]
    assert late
    assert all(one.sure() == one.table for one in late)
    assert any("the time for tuning (--tune-seconds) was up" in one.why for one in tuned.forms)


def test_blocks_that_were_in_time_and_networks_that_were_not(searched: Searched) -> None:
    said: list[str] = []
    late = lambda: 1e9 if any("whole networks" in one for one in said) else 0.0  # noqa: E731 - a clock
    tuned = searched(MadeUp(FAST_KERNELS), seconds=100.0, now=late, say=said.append)
    assert (tuned.chosen, tuned.decided, tuned.networks) == ("table", None, ())
    assert tuned.verdict() == "no whole network was measured: the written rule's forms stay"
    assert any("was not tried on the whole network: the time for tuning" in note for note in tuned.notes)


def test_a_candidate_that_the_engine_refuses_is_left_alone(searched: Searched) -> None:
    made_up = MadeUp(FAST_KERNELS)
    made_up.failing = ("kernel",)
    tuned = searched(made_up)
    assert all(one.bold().name != "kernel" or one.table.name == "kernel" for one in tuned.classes)
    assert "killed" in str(tuned.to_dict())


def write_nothing(cost: float) -> Finisher:
    """A finisher whose file has so many nodes."""

    def write(*_arguments: object) -> bytes:
        nodes = [onnx.helper.make_node("Neg", ["x"], [f"y{n}"]) for n in range(int(cost))]
        content: bytes = onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", [], [])).SerializeToString()
        return content

    return Finisher(name="blocked", refuse=lambda batch: None if batch.is_one else "one image", write=write)


@pytest.mark.parametrize(("cost", "finisher"), [(2, "blocked"), (100_000, "portable")])
def test_a_finisher_is_taken_where_it_is_faster(searched: Searched, cost: float, finisher: str) -> None:
    tuned = searched(MadeUp(FAST_KERNELS), finishers=(write_nothing(cost),))
    assert tuned.finisher == finisher
    assert forms(tuned) == {"kernel"}
    assert ("as blocked file" in tuned.verdict()) == (finisher == "blocked")


def test_a_finisher_that_cannot_serve_the_batch_is_not_asked(searched: Searched) -> None:
    assert searched(MadeUp(FAST_KERNELS), batch=2, finishers=(write_nothing(1),)).finisher == "portable"


def test_progress_tells_how_far_it_is(searched: Searched) -> None:
    said: list[str] = []
    clock = iter(float(second) for second in range(10_000))
    searched(MadeUp(FAST_KERNELS), say=said.append, now=lambda: next(clock))
    assert said[0].startswith("tune: block 1 of ")
    assert any("about" in one and one.endswith("s left") for one in said)
    assert said[-1].endswith(" whole networks")


def test_everything_is_in_the_record(searched: Searched) -> None:
    data = searched(MadeUp(FAST_KERNELS)).to_dict()
    assert set(data) == {
        "device", "machine", "threads", "batch", "measured_batch", "verdict", "chosen", "finisher", "blocks",
        "decided", "networks", "forms", "seconds", "reused", "notes",
    }  # fmt: skip
    (block, *_) = data["blocks"]  # type: ignore[misc]
    assert set(block) == {
        "layers", "what", "candidates", "noise_floor", "median_ms", "left_out", "skipped",
    }  # fmt: skip
    assert set(block["candidates"][0]) == {"name", "ratio", "low", "high", "failure"}
