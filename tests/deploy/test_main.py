"""`python -m condmix.deploy` is the same front door; the benchmark goes through it."""

import subprocess
import sys


def test_the_package_runs_as_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "condmix.deploy", "--help"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("Usage: condmix [OPTIONS] COMMAND")
