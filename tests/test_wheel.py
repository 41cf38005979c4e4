"""The built wheel and source distribution, installed where nothing else is: does it import, and only what it should?"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.slow


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both distributions; the wheel is built from the source distribution, as on a stranger's machine."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT), cwd=folder)
    return folder


@pytest.fixture(scope="module")
def board(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean environment with the wheel and one engine, as a board has it: no torch, no onnx."""
    folder = tmp_path_factory.mktemp("board")
    run(sys.executable, "-m", "venv", "env", cwd=folder)
    python = folder / "env" / "bin" / "python"
    wheel = next(built.glob("*.whl"))
    constraints = str(ROOT / "constraints.txt")
    run(str(python), "-m", "pip", "install", "-q", "-c", constraints, f"{wheel}[onnxruntime]", cwd=folder)
    return python


def test_the_wheel_holds_only_condmix(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = wheel.namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"condmix", next(top for top in tops if top.endswith(".dist-info"))}
    for folder in ("models", "runtime", "exporters", "deploy"):
        assert f"condmix/{folder}/__init__.py" in names
        assert f"condmix/{folder}/py.typed" in names
        sources = {str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*.py")}
        assert sources == {
            name.removeprefix("condmix/")
            for name in names
            if name.startswith(f"condmix/{folder}/") and name.endswith(".py")
        }


def test_the_source_distribution_holds_the_four_folders(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = archive.getnames()
    for folder in ("models", "runtime", "exporters", "deploy"):
        assert any(name.endswith(f"/{folder}/__init__.py") for name in names)


def test_a_board_runs_a_file_without_torch(board: Path, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "relu",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (tmp_path / "relu.onnx").write_bytes(model.SerializeToString())
    program = (
        "from pathlib import Path; import sys, numpy as np;"
        "from condmix.runtime.onnx_session import OnnxRuntimeBackend;"
        "session = OnnxRuntimeBackend().open(Path('relu.onnx'), threads=1);"
        "print(session.run({'x': np.array([[-1, 0, 2]], dtype=np.float32)})['y'].tolist());"
        "print([name for name in ('torch', 'onnx', 'onnx_ir') if name in sys.modules])"
    )
    assert run(str(board), "-c", program, cwd=tmp_path).split("\n")[:2] == ["[[0.0, 0.0, 2.0]]", "[]"]


def test_the_wheel_says_what_is_missing(board: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(board.parent / "condmix"), "--help"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert "Traceback" not in done.stderr
