"""Keeping an engine's own log off the user's terminal while it opens a file.

LiteRT writes lines such as `INFO: Created TensorFlow Lite XNNPACK delegate for CPU.` straight to file descriptor
2 and offers no setting for it: its log has no exported setter and TF_CPP_MIN_LOG_LEVEL does not reach it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator

_STDERR = 2
_DROPPED = b"INFO: "
# The descriptor belongs to the process: two openings at once would put each other's file in its place.
_redirection = threading.Lock()


@contextlib.contextmanager
def quiet_engine_log() -> Iterator[None]:
    """Inside, what reaches file descriptor 2 is held back; afterwards all but INFO lines is passed on.

    Lines of other threads are only delayed. Where there is no such descriptor or no place for a temporary file,
    nothing is held back.
    """
    with _redirection, contextlib.ExitStack() as stack:
        try:
            held = stack.enter_context(tempfile.TemporaryFile())
            saved = os.dup(_STDERR)
        except OSError:
            yield
            return
        if sys.stderr is not None:
            sys.stderr.flush()
        os.dup2(held.fileno(), _STDERR)
        try:
            yield
        finally:
            if sys.stderr is not None:
                sys.stderr.flush()
            os.dup2(saved, _STDERR)
            os.close(saved)
            held.seek(0)
            if kept := b"".join(line for line in held if not line.startswith(_DROPPED)):
                os.write(_STDERR, kept)
