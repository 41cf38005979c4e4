"""`condmix verify` for a machine that has only numpy and one runtime: `python -m condmix.deploy.bundle BUNDLE`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from condmix.deploy.bundle.verification_text import verification_code, verification_lines
from condmix.deploy.exit_codes import ExitCode, code_of
from condmix.deploy.json_text import to_json
from condmix.runtime.bundle.verify import verify_bundle
from condmix.runtime.errors import InferenceError


def main(arguments: Sequence[str]) -> int:
    """The exit code; what there is to say was said."""
    parser = argparse.ArgumentParser(prog="python -m condmix.deploy.bundle", description="Verify a bundle.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--digest", help="refuse any other bundle than the one of which this was printed")
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout and nothing else there")
    parser.add_argument("-v", "--verbose", action="store_true", help="list every member")
    asked = parser.parse_args(arguments)
    if asked.threads < 1:
        parser.error(f"--threads must be at least 1, found {asked.threads}")
    try:
        found = verify_bundle(asked.bundle, threads=asked.threads, digest=asked.digest)
    except InferenceError as error:
        sys.stderr.write(f"condmix: {error}\n")
        return code_of(error) or ExitCode.UNEXPECTED
    lines = verification_lines(found, in_detail=asked.verbose)
    sys.stdout.write(to_json(found.to_dict()) if asked.json else "\n".join(lines) + "\n")
    return verification_code(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
