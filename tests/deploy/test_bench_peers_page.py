"""The page of `make bench-peers`, from samples that say what they should."""

from __future__ import annotations

from condmix.deploy.bench.peers_measure import MeasuredRow, Measurement, PeerSettings
from condmix.deploy.bench.peers_page import best_peer, render
from condmix.deploy.bench.peers_rows import CONVERTER, INT8, STOCK, TWIN, TWIN_LITERT, PeerRow
from condmix.runtime.bench.samples import Samples
from condmix.runtime.cpu import CpuFacts

MACHINE = CpuFacts(
    architecture="x86_64",
    system="Linux 6",
    model_names=("Some CPU",),
    features=("AVX2",),
    logical_cores=2,
    usable_cores=2,
    versions=(("python", "3.11.7"),),
)
SETTINGS = PeerSettings(rounds=20, block=1)


def _row(name: str, milliseconds: float, *, engine: str = "onnxruntime", **choices: object) -> MeasuredRow:
    wall = (round(milliseconds * 1e6),) * 20
    samples = Samples(
        start_ns=(0,) * 20, wall_ns=wall, cpu_ns=wall, round=tuple(range(20)), opening=(0,) * 20, input=(0,) * 20
    )
    row = PeerRow(name=name, engine=engine, file="f", **choices)  # type: ignore[arg-type]
    return MeasuredRow(row=row, samples=samples, difference=1.2e-6)


def _result(*rows: MeasuredRow, threads: int = 1) -> Measurement:
    settings = PeerSettings(threads=threads, rounds=20, block=1)
    return Measurement(network="net", settings=settings, core=1, rows=rows, control=rows[0])


ROWS = (
    _row(STOCK, 20.0),
    _row("condmix blocked, ONNX Runtime", 10.0),
    _row("condmix, LiteRT", 15.0, engine="litert"),
    _row(TWIN, 8.0),
    _row(TWIN_LITERT, 12.0, engine="litert"),
    _row("OpenVINO", 12.5, engine="openvino", is_peer=True),
    _row("quantize_static on stock, OpenVINO", 5.0, engine="openvino", weights=INT8, is_peer=True),
    _row(CONVERTER, 30.0, engine="litert", is_peer=True),
    MeasuredRow(row=PeerRow(name="MNN", engine="mnn", is_peer=True), failure="wrong: differs by 0.5"),
)


def test_the_best_peer_is_the_fastest_in_float32() -> None:
    best = best_peer(_result(*ROWS))
    assert best is not None
    assert best.row.name == "OpenVINO"
    assert best_peer(_result(ROWS[0])) is None


def test_rows_are_ranked_and_the_lost_ones_say_why() -> None:
    page = render([_result(*ROWS)], MACHINE, {"python": "3.11.7", "openvino": "1"}, ["command one", "command two"])
    lines = page.splitlines()
    assert lines[:2] == ["Command: `command one`", "Command: `command two`"]
    assert "Machine: Some CPU, x86_64, 2 cores, AVX2. python 3.11.7, openvino 1." in lines
    start = next(number for number, line in enumerate(lines) if line.startswith("**net, 1 thread**"))
    assert lines[start] == (
        "**net, 1 thread** (a file against itself differs by up to 0.000; less than that is no difference)"
    )
    table = lines[start + 4 : start + 12]
    assert [line.split("|")[1].strip() for line in table] == [
        "quantize_static on stock, OpenVINO",
        TWIN,
        "condmix blocked, ONNX Runtime",
        TWIN_LITERT,
        "OpenVINO",
        "condmix, LiteRT",
        STOCK,
        CONVERTER,
    ]
    assert table[2] == (
        "| condmix blocked, ONNX Runtime | float32 | 10.00 | 10.00 | 0.500 | 0.500 to 0.500 | 1.2e-06 |"
    )
    assert "- MNN: wrong: differs by 0.5" in lines


def test_ours_are_compared_with_the_twin_of_their_runtime() -> None:
    page = render([_result(*ROWS, threads=2)], MACHINE, {}, ["c"])
    assert "**net, 2 threads**" in page
    assert (
        "| condmix blocked, ONNX Runtime | 1.250 (1.250 to 1.250) | 0.800 (0.800 to 0.800), OpenVINO "
        "| 0.333 (0.333 to 0.333) |"
    ) in page
    assert "| condmix, LiteRT | 1.250 (1.250 to 1.250) | 1.200 (1.200 to 1.200), OpenVINO | 0.500 " in page


def test_a_lost_baseline_leaves_times_without_ratios() -> None:
    lost = MeasuredRow(row=PeerRow(name=STOCK, engine="onnxruntime"), failure="not run: x")
    page = render([_result(lost, _row("condmix, ONNX Runtime", 10.0))], MACHINE, {}, ["c"])
    assert "differs by up to unknown" in page
    assert "| condmix, ONNX Runtime | float32 | 10.00 | 10.00 |  |  | 1.2e-06 |" in page
    assert "| condmix, ONNX Runtime |  |  |  |" in page
