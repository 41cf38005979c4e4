"""`make bench-peers` without the peers: environments, conversions, and the command line."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from condmix.deploy.bench import peers as front
from condmix.deploy.bench.errors import EnvironmentFailedError
from condmix.deploy.bench.peers import find_pythons, main
from condmix.deploy.bench.peers_environments import PEERS, TORCH, Peer, checked, ensure_environment, installed_version
from condmix.deploy.bench.peers_files import conversion_command, convert_peers, peer_rows
from condmix.deploy.bench.peers_process import ConversionFailedError, run_conversion, start_bound, worker_command
from condmix.deploy.bench.peers_rows import STOCK, TWIN_REFERENCE, PeerRow, load, save
from tests.deploy.peer_fakes import openvino_environment, reference, row

OPENVINO = PEERS["openvino"]


# Environments


def test_every_peer_is_pinned_to_one_version() -> None:
    assert {name: peer.version for name, peer in PEERS.items()} == {
        "openvino": "2026.4.1",
        "mnn": "3.6.1",
        "executorch": "1.5.1",
        "litert-torch": "0.10.0",
        "onnx2tf": "2.6.9",
    }
    assert all("==" in requirement for peer in PEERS.values() for step in peer.steps for requirement in step)
    assert [name for name, peer in PEERS.items() if peer.steps[0] == (TORCH,)] == ["executorch", "litert-torch"]


def test_an_environment_that_is_there_is_used(tmp_path: Path) -> None:
    openvino_environment(tmp_path / "openvino")
    assert ensure_environment(OPENVINO, tmp_path) == tmp_path / "openvino" / "bin" / "python"


def test_another_version_is_refused_where_none_is_made(tmp_path: Path) -> None:
    environment = openvino_environment(tmp_path / "old", version="2025.0.0")
    with pytest.raises(EnvironmentFailedError) as caught:
        checked(OPENVINO, environment)
    assert str(caught.value) == (
        "openvino: expected an environment with it, found none that works: "
        f"{environment} has 2025.0.0 instead of 2026.4.1"
    )
    with pytest.raises(EnvironmentFailedError, match="absent has no openvino instead of 2026"):
        checked(OPENVINO, tmp_path / "absent")


def test_an_environment_is_made_by_venv_and_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []
    module = "condmix.deploy.bench.peers_environments"
    monkeypatch.setattr(f"{module}._call", lambda _peer, command: calls.append([*command]))
    monkeypatch.setattr(f"{module}.installed_version", lambda _peer, _python: "1.5.1" if len(calls) == 3 else None)
    python = ensure_environment(PEERS["executorch"], tmp_path)
    assert python == tmp_path / "executorch" / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    assert calls == [
        [sys.executable, "-m", "venv", "--clear", str(tmp_path / "executorch")],
        [*pip, "torch==2.13.0"],
        [*pip, "executorch==1.5.1"],
    ]


def test_what_pip_says_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho ERROR: No matching distribution >&2; exit 1\n")
    script.chmod(0o755)
    monkeypatch.setattr("condmix.deploy.bench.peers_environments.sys.executable", str(script))
    with pytest.raises(EnvironmentFailedError, match="it cannot be installed: ERROR: No matching distribution"):
        ensure_environment(OPENVINO, tmp_path)


def test_a_peer_may_need_a_newer_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    peer = Peer(name="new", package="new", steps=(("new==1",),), oldest_python=(3, 99))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentFailedError, match=r"new 1 needs Python 3\.99, none is on the PATH"):
        ensure_environment(peer, tmp_path)


def test_a_python_that_does_not_start_has_no_version(tmp_path: Path) -> None:
    (tmp_path / "python").write_text("not a program")
    assert installed_version(OPENVINO, tmp_path / "python") is None


# Conversions


def test_a_worker_converts_in_an_environment_without_condmix(tmp_path: Path) -> None:
    python = openvino_environment(tmp_path / "environment") / "bin" / "python"
    source, target, report = (tmp_path / name for name in ("stock.onnx", "made.xml", "report.json"))
    source.write_text("2.0")
    command = worker_command(python, "openvino", "convert", str(source), str(target), str(report))
    made = run_conversion(command, report, timeout_seconds=60)
    assert target.read_text() == "2.0"
    assert made.versions == {"openvino": "2026.4.1"}
    assert made.cpu_seconds >= 0
    assert 0 < made.wall_seconds < 60


def test_a_worker_knows_two_ways_of_being_started(tmp_path: Path) -> None:
    python = openvino_environment(tmp_path) / "bin" / "python"
    with pytest.raises(ConversionFailedError, match="not converted: expected convert or serve, found 'sing'"):
        run_conversion(worker_command(python, "openvino", "sing"), tmp_path / "report.json", timeout_seconds=60)
    python = Path(sys.executable)
    with pytest.raises(ConversionFailedError, match="expected convert or serve, found 'serve'"):
        run_conversion(worker_command(python, "onnx2tf", "serve"), tmp_path / "report.json", timeout_seconds=60)


def test_a_conversion_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(ConversionFailedError, match=r"not converted within 0\.2 s"):
        run_conversion(["sleep", "20"], tmp_path / "report.json", timeout_seconds=0.2)
    with pytest.raises(ConversionFailedError, match="No such file"):
        run_conversion([str(tmp_path / "absent")], tmp_path / "report.json", timeout_seconds=1)


def test_a_peer_that_refuses_has_its_words_in_its_row(tmp_path: Path) -> None:
    python = openvino_environment(tmp_path / "environment") / "bin" / "python"
    ours = PeerRow(name=STOCK, engine="onnxruntime", file="stock.onnx")
    save(tmp_path, [ours, row("OpenVINO", failure="of old")], {"network": reference()})
    (tmp_path / "stock.onnx").write_text("1.5")
    (tmp_path / "stock-int8.onnx").write_text("refused")
    told: list[str] = []
    convert_peers("net", tmp_path, {"openvino": python, "mnn": "not installed: why"}, 60, told.append)
    rows, _ = load(tmp_path)
    assert [(one.name, one.file) for one in rows] == [
        (STOCK, "stock.onnx"),
        ("OpenVINO", "openvino.xml"),
        ("quantize_static on stock, OpenVINO", None),
        ("MNN", None),
    ]
    assert [one.failure for one in rows[:2]] == [None, None]
    assert (rows[2].failure or "").endswith("Check failed: this operator is not supported")
    assert rows[3].failure == "not installed: why"
    assert (tmp_path / "stock.onnx").read_text() == "1.5"  # whatever the converter does to what it is given
    assert rows[1].versions == {"openvino": "2026.4.1"}
    assert told == ["net: OpenVINO", "net: quantize_static on stock, OpenVINO", "net: MNN"]


def test_nothing_is_converted_from_a_file_that_is_not_there(tmp_path: Path) -> None:
    save(tmp_path, [PeerRow(name=STOCK, engine="onnxruntime", file="stock.onnx")], {"network": reference()})
    convert_peers("net", tmp_path, {"litert-torch": Path(sys.executable)}, 60, lambda _text: None)
    rows, _ = load(tmp_path)
    assert [one.failure for one in rows[1:]] == [
        "not converted: there is no program.pt2 to convert",
        "not converted: there is no litert-torch.tflite to convert",
    ]


@pytest.mark.parametrize("peer", PEERS)
def test_every_peer_has_rows_of_its_own_and_a_command(peer: str) -> None:
    found = peer_rows(peer)
    assert all(one.is_peer and one.engine in ("litert", peer) and one.file for one, _ in found)
    for one, source in found:
        paths = [Path("/w") / name for name in (source, str(one.file), "report.json", "calibration.npy")]
        command = conversion_command(peer, Path("/e/bin/python"), *paths)
        assert command[:2] == ["/e/bin/python", "-I"]
        assert [part for part in command if part.startswith("/w/")][0::1][-2:] == [str(paths[1]), "/w/report.json"]


def test_rows_come_back_as_they_were_saved(tmp_path: Path) -> None:
    rows = [row("a", versions={"x": "1"}, convert_seconds=2.0), row("b", file=None, failure="no", reference="twin")]
    save(tmp_path, rows, {"network": reference(), TWIN_REFERENCE: reference(3.0)})
    found, references = load(tmp_path)
    assert found == rows
    assert references["twin"].own_error == 1e-7
    assert (references["twin"].expected == reference(3.0).expected).all()


# Cores


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not bind processes to cores")
def test_a_bound_worker_has_one_core_and_we_keep_ours() -> None:
    before = os.sched_getaffinity(0)
    variables = dict(os.environ)
    program = "import os, sys; os.write(1, bytes(sorted(os.sched_getaffinity(0))))"
    process = start_bound([sys.executable, "-c", program], min(before), 1)
    try:
        assert process._process.stdout is not None
        assert process._process.stdout.read() == bytes([min(before)])
    finally:
        process.close()
    assert os.sched_getaffinity(0) == before
    assert dict(os.environ) == variables


# The command line


def test_measuring_alone_wants_files(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, [str(tmp_path), "--network", "mixnet_s", "--step", "measure", "--peer", "openvino"])
    assert done.exit_code == 2
    assert done.output.splitlines()[-1] == (
        f"condmix: mixnet_s: expected its files in {tmp_path / 'peers' / 'mixnet_s'}, found none. "
        "Leave out --step, or add --step export."
    )


@pytest.mark.parametrize("text", ["openvino", "nobody=.", "openvino=absent"])
def test_a_given_environment_is_a_peer_and_a_folder(text: str) -> None:
    done = CliRunner().invoke(main, ["out", "--environment", text])
    assert done.exit_code == 2
    assert f"then = and a folder, found '{text}'" in " ".join(done.output.split())


def test_a_peer_without_an_environment_does_not_stop_the_others(tmp_path: Path) -> None:
    given = openvino_environment(tmp_path / "mine")
    found = find_pythons(("openvino", "mnn"), {"openvino": given}, tmp_path / "absent", install=False)
    assert found == {
        "openvino": given / "bin" / "python",
        "mnn": "not installed: mnn: expected an environment with it, found none that works: "
        f"{tmp_path / 'absent' / 'mnn'} has no MNN instead of 3.6.1",
    }


def test_the_steps_end_in_a_page_with_every_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours are left out: OpenVINO's place is taken by the fake, and stands in for the stock file too."""
    environment = openvino_environment(tmp_path / "environment")
    folder = tmp_path / "out" / "peers" / "mixnet_s"

    class Written:
        def __init__(self, *_given: object) -> None:
            folder.mkdir(parents=True)

        def write(self) -> None:
            save(folder, [row(STOCK, file="stock.xml", is_peer=False)], {"network": reference()})
            for name in ("stock.xml", "stock.onnx", "stock-int8.onnx"):
                (folder / name).write_text("2.0")

    tuned: list[Path] = []
    monkeypatch.setattr(front, "NetworkFiles", Written)
    monkeypatch.setattr(front, "tune_row", lambda _subject, place, _size, _say: tuned.append(place))
    arguments = [
        str(tmp_path / "out"),
        "--network",
        "mixnet_s",
        "--peer",
        "openvino",
        "--rounds",
        "20",
        "--openings",
        "1",
    ]
    done = CliRunner().invoke(main, [*arguments, "--environment", f"openvino={environment}"])
    assert done.exit_code == 0, done.output
    assert tuned == [folder]
    page = (tmp_path / "out" / "bench-peers.md").read_text()
    assert "**mixnet_s, 1 thread**" in page
    assert "**mixnet_s, 2 threads**" in page
    assert page.count("| OpenVINO | float32 |") == 2
    data = json.loads((tmp_path / "out" / "bench-peers.json").read_text())
    rows = data["networks"][0]["rows"]
    assert [len(one["samples"]["wall_ns"]) for one in rows] == [60, 60, 60]
    assert data["versions"] == {"openvino": "2026.4.1"}
