import sys

import pytest

from condmix.runtime.piped_process import PipedProcess, WorkerEndedError


def test_what_is_no_message_is_told_and_ends_the_process():
    worker = PipedProcess([sys.executable, "-c", "print('hello, I am a banner of some package, not a message')"])
    with pytest.raises(WorkerEndedError, match="wrote something else than a message to its standard output"):
        worker.receive(timeout_seconds=60)
    with pytest.raises(WorkerEndedError, match="the worker process was ended before"):
        worker.receive(timeout_seconds=60)


def test_a_head_that_is_no_json_is_no_message():
    program = "import struct, sys; sys.stdout.buffer.write(struct.pack('>QQ', 3, 0) + b'abc')"
    with pytest.raises(WorkerEndedError, match="wrote something else than a message"):
        PipedProcess([sys.executable, "-c", program]).receive(timeout_seconds=60)


def test_the_last_words_of_a_process_that_ends():
    worker = PipedProcess([sys.executable, "-c", "raise SystemExit('no such thing')"])
    with pytest.raises(WorkerEndedError, match="ended with exit code 1: no such thing"):
        worker.receive(timeout_seconds=60)


def test_a_command_that_does_not_start():
    with pytest.raises(WorkerEndedError, match="'/no/such/program' does not start: "):
        PipedProcess(["/no/such/program"])
