"""Batches on one thread and on several: each is checked, and a fault on one of them fails."""

import pytest

from condmix.runtime.batch_report import BatchVerdict
from condmix.runtime.batches import check_batches_on_threads
from condmix.runtime.errors import ComparisonImpossibleError
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from condmix.runtime.parity_report import Verdict
from condmix.runtime.tolerance import Tolerance
from tests.runtime.batch_faults import reverses_the_batch

FLOAT32 = Tolerance.for_precision("float32")


def test_threads_are_stated_and_all_of_them_checked(conv_net):
    opened = []

    def open_session(threads: int):
        opened.append(threads)
        model = conv_net.to_onnx() if threads == 1 else conv_net.to_onnx(**reverses_the_batch())
        return OnnxRuntimeBackend().open(model, threads=threads)

    report = check_batches_on_threads(
        open_session,
        conv_net.images_nchw,
        conv_net.expected(conv_net.images_nchw),
        tolerance=FLOAT32,
        own_float32=None,
        sizes=(1, 2),
    )
    assert opened == [1, 2]
    assert [case.threads for case in report.cases] == [1, 1, 1, 1, 2, 2, 2, 2]
    assert {case.threads for case in report.cases if case.verdict is not Verdict.PASS} == {2}
    assert report.verdict is BatchVerdict.FAIL


def test_a_right_model_holds_on_two_threads(conv_net):
    backend, model = OnnxRuntimeBackend(), conv_net.to_onnx()
    report = check_batches_on_threads(
        lambda threads: backend.open(model, threads=threads),
        conv_net.images_nchw,
        conv_net.expected(conv_net.images_nchw),
        tolerance=FLOAT32,
        own_float32=None,
    )
    assert report.verdict is BatchVerdict.PASS
    assert len(report.cases) == 26


@pytest.mark.parametrize("thread_counts", [(), (2, 2)])
def test_thread_counts_without_meaning_are_refused(conv_net, thread_counts: tuple[int, ...]):
    with pytest.raises(ComparisonImpossibleError, match="thread_counts must be different numbers, at least one"):
        check_batches_on_threads(
            lambda threads: OnnxRuntimeBackend().open(conv_net.to_onnx(), threads=threads),
            conv_net.images_nchw,
            conv_net.expected(conv_net.images_nchw),
            tolerance=FLOAT32,
            own_float32=None,
            thread_counts=thread_counts,
        )
