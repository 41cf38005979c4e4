"""Package folders for the tflite-runtime session: a stand-in that needs no installation, and the real one."""

import sysconfig
from pathlib import Path

import numpy as np

STAND_IN = """
import os, sys, time
sys.path.append({packages!r})
from ai_edge_litert.interpreter import Interpreter as _Interpreter, OpResolverType
print("a line on standard output, where only messages belong", flush=True)

class Interpreter(_Interpreter):
    def set_tensor(self, number, value):
        super().set_tensor(number, value)
        first = float(value.flat[0])
        if first == 101: os.kill(os.getpid(), 11)
        if first == 102: time.sleep(60)
        if first == 103: print("last words", file=sys.stderr); os._exit(9)
"""
CRASH, HANG, EXIT = 101.0, 102.0, 103.0


def add_metadata(site: Path, name: str, version: str) -> None:
    """The folder claims to hold that version of a package."""
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def make_stand_in(site: Path, interpreter: str = STAND_IN) -> Path:
    """A folder whose `tflite_runtime` is LiteRT's interpreter with faults on demand: see CRASH, HANG and EXIT."""
    package = site / "tflite_runtime"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("__version__ = '2.14.0'\n")
    (package / "interpreter.py").write_text(interpreter.replace("{packages!r}", repr(sysconfig.get_path("purelib"))))
    # The worker sees the standard library and this folder only.
    (site / "numpy").symlink_to(Path(np.__file__).parent)
    libraries = Path(np.__file__).parent.with_name("numpy.libs")
    if libraries.is_dir():
        (site / "numpy.libs").symlink_to(libraries)
    add_metadata(site, "tflite-runtime", "2.14.0")
    add_metadata(site, "numpy", "1.26.4")
    return site
