"""One process that reads damaged files: `python -m tests.fuzz.child READER FIRST COUNT FOLDER`.

It has a limit on memory and a clock on every input. Before each input it notes the seed in FOLDER/at, so that the
parent knows what it died of; what came of each is a line of JSON on standard output.
"""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import signal
import sys
import time
import warnings
from pathlib import Path

from tests.fuzz.mutate import damaged
from tests.fuzz.readers import NAMED, Reader, reader_named

SECONDS = 10
"""Of CPU time that each input may take, however busy the machine is; a sound one takes milliseconds. What sleeps is
caught by the parent's clock."""

MEMORY_BYTES = 1 << 30
"""Beyond what the process has when it begins. The samples are below a megabyte."""

AT = "at"
REFUSED, ACCEPTED, FAULT = "refused", "accepted", "fault"


class TooSlowError(BaseException):
    """The clock ran out. No Exception, lest a reader take it for one of the file's."""


def main(arguments: list[str]) -> None:
    """All seeds of this process."""
    reader, first, count, folder = reader_named(arguments[0]), int(arguments[1]), int(arguments[2]), Path(arguments[3])
    faulthandler.enable()
    warnings.simplefilter("ignore")
    sound = _warmed_up(reader, folder)
    _limit_memory()
    signal.signal(signal.SIGPROF, _too_slow)
    path = folder / f"damaged{reader.suffix}"
    before = _listing(folder)
    report = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for seed in range(first, first + count):
        (folder / AT).write_text(str(seed))
        path.write_bytes(damaged(sound, seed))
        start = time.process_time()
        outcome, what = _read(reader, path)
        seconds = time.process_time() - start
        extra = sorted(_listing(folder) - before - {AT, path.name})
        if extra:
            outcome, what = FAULT, f"files were written: {', '.join(extra)}"
        report.write(json.dumps({"seed": seed, "outcome": outcome, "what": what, "seconds": round(seconds, 4)}) + "\n")
    (folder / AT).write_text("done")
    report.flush()
    os._exit(0)


def _warmed_up(reader: Reader, folder: Path) -> bytes:
    """The sound sample's content, once read: what it imports is not counted as memory of an input."""
    sound = reader.sample(folder)
    for old in folder.iterdir():
        old.unlink()
    path = folder / f"sound{reader.suffix}"
    path.write_bytes(sound)
    reader.read(path)
    return sound


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGESIZE") + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _read(reader: Reader, path: Path) -> tuple[str, str]:
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        reader.read(path)
    except NAMED as error:
        return REFUSED, type(error).__name__
    except TooSlowError:
        return FAULT, f"no answer within {SECONDS} s of CPU time"
    except BaseException as error:  # noqa: BLE001 - whatever a reader lets through is the finding
        return FAULT, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return ACCEPTED, ""


def _too_slow(_number: int, _frame: object) -> None:
    raise TooSlowError


def _listing(folder: Path) -> frozenset[str]:
    """Everything in the folder and beside it."""
    return frozenset(str(path.relative_to(folder)) for path in folder.rglob("*")) | frozenset(
        f"../{path.name}" for path in folder.parent.iterdir() if path != folder
    )


if __name__ == "__main__":
    main(sys.argv[1:])
