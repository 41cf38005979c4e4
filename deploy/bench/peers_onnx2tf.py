"""onnx2tf's worker: from an ONNX file to a float32 .tflite file, which LiteRT runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from condmix.deploy.bench.peers_worker import main


def convert(source: Path, target: Path) -> None:
    """The float32 file of those that it writes with its defaults."""
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-I", "-m", "onnx2tf", "-i", str(source), "-o", name, "-n"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        written = sorted(Path(name).glob("*_float32.tflite"))
        if done.returncode != 0 or not written:
            said = (done.stdout + done.stderr).split("\n")
            last = next((line.strip() for line in reversed(said) if line.strip()), f"exit code {done.returncode}")
            sys.exit(f"onnx2tf wrote no float32 file: {last}")
        shutil.move(written[0], target)


if __name__ == "__main__":
    main("onnx2tf", convert, None)
