"""condmix bundle and condmix verify, as they are typed."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from condmix.deploy.bundle.__main__ import main
from condmix.deploy.bundle.write import BundlePlan, write_bundle
from condmix.runtime.artifact import Format
from condmix.runtime.bundle import artifact_check
from tests.deploy.bundle.conftest import WEIGHT, Export, make_export, model_bytes, reference_bytes
from tests.deploy.conftest import Run, files_in

HEAVY = ("torch", "onnx", "onnx_ir", "jinja2", "sklearn", "PIL")


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A bundle that was tried in the real engine, once."""
    folder = tmp_path_factory.mktemp("packed")
    return write_bundle(BundlePlan(paths=(make_export(folder).model,))).path.read_bytes()


@pytest.fixture
def bundled(packed: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "net.condmix.zip"
    path.write_bytes(packed)
    return path


def test_bundle_says_what_it_tried_and_what_is_next(condmix: Run, export: Export, tmp_path: Path) -> None:
    path = tmp_path / "net.condmix.zip"
    ran = condmix("bundle", export.folder, "-o", path, "-q")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0].startswith("[ok]      net.onnx  max|d| ")
    assert lines[1].startswith(f"bundle  {path}  4 members, ")
    assert lines[3] == f"next    condmix verify {path}"
    ran = condmix("bundle", export.folder, "-o", path, "--json", "-q", "-f")
    assert json.loads(ran.out)["digest"] == lines[2].removeprefix("digest  ")


def test_verify_says_it_line_by_line(condmix: Run, bundled: Path, tmp_path: Path) -> None:
    ran = condmix("verify", bundled)
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == "net, bundled 2026-09-21T14:13:20Z by condmix 0.1.0"
    assert lines[1] == "[ok]      4 members are what the manifest promises"
    assert lines[2].startswith("[ok]      net.onnx  max|d| ")
    assert "limit 1.0e-04, top-1 100%, 3 images in onnxruntime" in lines[2]
    digest = lines[3].removeprefix("digest    ")
    assert ran.err.splitlines() == ["condmix: check the hashes", "condmix: run net.onnx"]
    assert files_in(tmp_path) == {"net.condmix.zip"}

    as_json = json.loads(condmix("verify", bundled, "--json", "-q", "--digest", digest.upper()).out)
    assert (as_json["passed"], as_json["digest"]) == (True, digest)
    assert as_json["artifacts"][0]["agreement"]["passed"] is True


def test_verify_needs_neither_torch_nor_onnx(bundled: Path) -> None:
    """Seen from a fresh interpreter in which they cannot be imported."""
    program = f"""
import sys
for name in {HEAVY!r}: sys.modules[name] = None
from condmix.deploy.commands.verify import verify
try:
    verify.main(sys.argv[1:], prog_name="verify", standalone_mode=True)
except SystemExit as end:
    loaded = [name for name in {HEAVY!r} if sys.modules[name] is not None]
    print("ended", end.code, loaded)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(bundled), "-q"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.splitlines()[-1] == "ended 0 []", done.stderr


def test_numpy_and_one_runtime_suffice(bundled: Path) -> None:
    """No click, no rich: as on a board on which nothing but numpy and ONNX Runtime was installed."""
    absent = (*HEAVY, "click", "rich", "ai_edge_litert", "flatbuffers", "safetensors")
    program = f"""
import sys
for name in {absent!r}: sys.modules[name] = None
from condmix.deploy.bundle.__main__ import main
print("ended", main(sys.argv[1:]))
print("ended", main([sys.argv[1] + ".none"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(bundled), "-v"], capture_output=True, text=True, timeout=120, check=False
    )
    lines = done.stdout.splitlines()
    assert lines[-2:] == ["ended 0", "ended 3"], done.stderr
    assert lines[6].startswith("[ok]      net.onnx  max|d| ")
    assert "No such file or directory" in done.stderr


def test_as_json_without_click(bundled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(bundled), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["passed"] is True
    with pytest.raises(SystemExit) as caught:
        main([str(bundled), "--threads", "0"])
    assert caught.value.code == 2


def test_the_library_loads_neither_engine_nor_torch() -> None:
    program = (
        "import sys; import condmix.runtime.bundle.verify, condmix.deploy.commands.verify\n"
        f"print([n for n in (*{HEAVY!r}, 'onnxruntime', 'ai_edge_litert') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "[]\n"


def test_outside_the_limit_is_5(condmix: Run, tmp_path: Path) -> None:
    foreign, given = tmp_path / "other.onnx", tmp_path / "given.npz"
    foreign.write_bytes(model_bytes(WEIGHT + np.float32(0.01)))
    given.write_bytes(reference_bytes("other.onnx"))
    ran = condmix("bundle", foreign, "--reference", given, "--tolerance", "1e-3", "-q")
    assert ran.code == 5
    assert ran.out.startswith("[failed]  other.onnx  max|d| ")
    assert "was not written: not every file was shown to compute what PyTorch computes" in ran.out
    assert files_in(tmp_path) == {"other.onnx", "given.npz"}
    path = tmp_path / "other.condmix.zip"
    assert condmix("bundle", foreign, "--reference", given, "--tolerance", "1", "-q").code == 0
    loose = json.loads(condmix("verify", path, "--json", "-q").out)
    assert loose["artifacts"][0]["agreement"]["limit"] == 1.0


def test_damage_is_3_and_names_the_member(condmix: Run, bundled: Path) -> None:
    data = bytearray(bundled.read_bytes())
    place = data.find(b"net.onnx", data.find(model_bytes()[:20]) - 20) + 60
    data[place] ^= 1
    bundled.write_bytes(data)
    ran = condmix("verify", bundled, "--json", "-q")
    assert ran.code == 3
    assert "member 'net.onnx'" in ran.err
    record = json.loads(ran.out)
    assert (record["exit_code"], record["error"]["type"]) == (3, "DamagedBundleError")


@pytest.mark.parametrize("content", [b"", b"rubbish", b"PK\x03\x04" * 10])
def test_what_is_no_bundle_is_3(condmix: Run, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    ran = condmix("verify", path)
    assert ran.code == 3
    assert f"bundle '{path}'" in ran.err


def test_another_bundle_than_the_digest_says_is_3(condmix: Run, bundled: Path) -> None:
    ran = condmix("verify", bundled, "--digest", "0" * 64, "-q")
    assert ran.code == 3
    assert "it is another bundle" in ran.err
    assert condmix("verify", bundled, "--digest", "123").code == 2


def test_a_missing_engine_is_8(condmix: Run, bundled: Path, export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(artifact_check._MODULE_OF, Format.ONNX, "no_such_engine")
    ran = condmix("verify", bundled, "-q")
    assert ran.code == 8
    assert "[missing] net.onnx  the engine 'onnxruntime' cannot be used: it is not installed" in ran.out
    assert condmix("bundle", export.model, "-q").code == 8
    assert not (export.folder / "net.condmix.zip").exists()


def test_wrong_usage_is_2(condmix: Run, export: Export) -> None:
    assert condmix("bundle").code == 2
    assert condmix("bundle", export.model, "--tolerance", "nan").code == 2
    assert condmix("bundle", export.folder / "net.rejected.onnx").code == 3
    ran = condmix("bundle", export.model, "--tolerance", "0.1", "-q")
    assert ran.code == 2
    assert "--tolerance: the reference has a limit for every file" in ran.err


def test_an_unpacked_bundle_is_verified_too(condmix: Run, bundled: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(bundled) as archive:
        archive.extractall(tmp_path / "folder")
    ran = condmix("verify", tmp_path / "folder", "-v", "-q")
    assert ran.code == 0
    assert "artifact   net.onnx" in ran.out
    (tmp_path / "folder" / "more.txt").write_bytes(b"")
    ran = condmix("verify", tmp_path / "folder", "-q")
    assert ran.code == 3
    assert "member 'more.txt': it is not in the manifest" in ran.err
