"""Whether an open model treats the images of a batch as strangers: each gets its own result, anywhere.

A per-sample kernel that is folded into groups or reshaped along the wrong axis is right at batch 1 and wrong,
or mixed with its neighbours, at batch 2. So every batch size is compared with the reference, then with other
neighbours, then in other positions and, since threads split the work, all of it again on more threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from condmix.runtime.batch_report import BatchCase, BatchProperty, BatchReport
from condmix.runtime.errors import ComparisonImpossibleError, SessionFailedError
from condmix.runtime.joint_inputs import feeds
from condmix.runtime.parity import compare
from condmix.runtime.session import Session
from condmix.runtime.signature import Tensor
from condmix.runtime.tolerance import FloatArray, Tolerance, rows_of

Indices: TypeAlias = npt.NDArray[np.int64]
BATCH_SIZES = (1, 2, 3, 5, 8)


def check_batches(
    session: Session,
    images: Tensor,
    expected: Mapping[str, FloatArray],
    *,
    tolerance: Tolerance,
    own_float32: Mapping[str, Tensor] | None,
    sizes: Sequence[int] = BATCH_SIZES,
    seed: int = 0,
) -> BatchReport:
    """The record of three properties at every batch size, each over all images.

    reference: the rows are the expected ones.
    neighbours: an image among other images (a seeded shuffle) gives the row that it gives alone.
    order: a batch turned by one place gives its rows turned by one place.

    images: [images, ...] for the only input, whose batch axis is free; at least as many as the largest size.
    expected: PyTorch in float64, output name -> [images, ...].
    own_float32: PyTorch's own float32 rows of the same outputs, or None.
    An engine that fails at some batch size makes a failed case, not an exception.

    Raises ComparisonImpossibleError when the check could not show anything.
    """
    if problems := _question_problems(session, images, expected, own_float32, sizes):
        raise ComparisonImpossibleError(problems)
    check = _Check(session=session, images=images, expected=expected, own=own_float32, tolerance=tolerance)
    in_order = np.arange(len(images))
    shuffled = np.random.default_rng(seed).permutation(in_order)
    alone = check.run(_batches(in_order, 1))
    cases = []
    for size in sizes:
        together = alone if size == 1 else check.run(_batches(in_order, size))
        cases.append(check.against_expected(size, together))
        if size > 1:
            mixed = check.run(_batches(shuffled, size))
            cases.append(check.against(BatchProperty.NEIGHBOURS, alone.taken(mixed.indices_bi), mixed))
            turned = check.run(np.roll(together.indices_bi, 1, axis=1))
            cases.append(check.against(BatchProperty.ORDER, together.turned(), turned))
    return BatchReport(cases=tuple(cases), indistinct_pairs=_indistinct_pairs(expected, own_float32, tolerance))


def check_batches_on_threads(
    open_session: Callable[[int], Session],
    images: Tensor,
    expected: Mapping[str, FloatArray],
    *,
    tolerance: Tolerance,
    own_float32: Mapping[str, Tensor] | None,
    sizes: Sequence[int] = BATCH_SIZES,
    thread_counts: Sequence[int] = (1, 2),
    seed: int = 0,
) -> BatchReport:
    """The record of `check_batches` for each number of threads; each case says on how many it ran.

    open_session: opens the model on the given number of threads. Raises what it and `check_batches` raise.
    """
    if not thread_counts or len(set(thread_counts)) != len(thread_counts):
        problem = f"thread_counts must be different numbers, at least one, found {list(thread_counts)}"
        raise ComparisonImpossibleError([problem])
    cases: list[BatchCase] = []
    for threads in thread_counts:
        session = open_session(threads)
        report = check_batches(
            session, images, expected, tolerance=tolerance, own_float32=own_float32, sizes=sizes, seed=seed
        )
        cases += [replace(case, threads=threads) for case in report.cases]
    return replace(report, cases=tuple(cases))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Run:
    """The rows of several batches one below the other, or why there are none.

    indices_bi: [batches, images a batch] which image stands where.
    outputs: output name -> rows; row k belongs to the k-th entry of indices_bi in row-major order.
    """

    indices_bi: Indices
    outputs: Mapping[str, Tensor]
    failure: str | None

    def taken(self, indices_bi: Indices) -> _Run:
        """The rows of the given images, of a run that had image k in row k."""
        outputs = {name: rows[indices_bi.reshape(-1)] for name, rows in self.outputs.items()}
        return _Run(indices_bi=indices_bi, outputs=outputs, failure=self.failure)

    def turned(self) -> _Run:
        """The same rows, each batch turned by one place."""
        places_bi = np.roll(np.arange(self.indices_bi.size).reshape(self.indices_bi.shape), 1, axis=1)
        outputs = {name: rows[places_bi.reshape(-1)] for name, rows in self.outputs.items()}
        return _Run(indices_bi=np.roll(self.indices_bi, 1, axis=1), outputs=outputs, failure=self.failure)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Check:
    """One session with the images and what is expected of them."""

    session: Session
    images: Tensor
    expected: Mapping[str, FloatArray]
    own: Mapping[str, Tensor] | None
    tolerance: Tolerance

    def run(self, indices_bi: Indices) -> _Run:
        """Every batch run once; what the engine cannot run, or not as one row an image, becomes `failure`."""
        names = [spec.name for spec in self.session.signature.inputs]
        rows: dict[str, list[Tensor]] = {}
        size = indices_bi.shape[1]
        for indices in indices_bi:
            try:
                outputs = self.session.run(feeds(self.images[indices], names))
            except SessionFailedError as error:
                return _Run(indices_bi=indices_bi, outputs={}, failure=str(error))
            for name, values in outputs.items():
                if values.shape[:1] != (size,):
                    failure = f"output {name!r} has shape {list(values.shape)}, expected {size} rows"
                    return _Run(indices_bi=indices_bi, outputs={}, failure=failure)
                rows.setdefault(name, []).append(values)
        joined = {name: np.concatenate(parts) for name, parts in rows.items()}
        return _Run(indices_bi=indices_bi, outputs=joined, failure=None)

    def against_expected(self, size: int, run: _Run) -> BatchCase:
        """The rows against those expected of the same images."""
        indices = run.indices_bi.reshape(-1)
        reference = {name: rows[indices] for name, rows in self.expected.items()}
        own = None if self.own is None else {name: rows[indices] for name, rows in self.own.items()}
        return self._case(BatchProperty.REFERENCE, size, run, reference, own, run.failure)

    def against(self, wanted: BatchProperty, baseline: _Run, run: _Run) -> BatchCase:
        """The rows against those that the same session gave in another situation."""
        indices = run.indices_bi.reshape(-1)
        reference = {name: np.asarray(rows, dtype=np.float64) for name, rows in baseline.outputs.items()}
        own = None
        if self.own is not None and all(
            name in self.expected and self.expected[name].shape[1:] == rows.shape[1:]
            for name, rows in reference.items()
        ):
            # PyTorch's own error carried over to these rows: the limits are those of the reference case.
            # What is not finite here makes the case fail or be ill-conditioned, as it should.
            with np.errstate(over="ignore", invalid="ignore"):
                own_error = {name: np.subtract(self.own[name], rows) for name, rows in self.expected.items()}
                own = {name: rows + own_error[name][indices] for name, rows in reference.items()}
        size = run.indices_bi.shape[1]
        return self._case(wanted, size, run, reference, own, baseline.failure or run.failure)

    def _case(
        self,
        wanted: BatchProperty,
        size: int,
        run: _Run,
        reference: Mapping[str, FloatArray],
        own: Mapping[str, Tensor] | None,
        failure: str | None,
    ) -> BatchCase:
        parity = None
        if failure is None:
            context = {"batch_property": str(wanted), "batch_size": str(size)}
            parity = compare(reference, run.outputs, tolerance=self.tolerance, own_float32=own, context=context)
        return BatchCase(batch_property=wanted, batch_size=size, threads=None, parity=parity, failure=failure)


def _batches(indices: Indices, size: int) -> Indices:
    """All indices as [batches, size]; the last batch is full too, with indices of the one before."""
    starts = [min(start, len(indices) - size) for start in range(0, len(indices), size)]
    return np.stack([indices[start : start + size] for start in starts])


def _indistinct_pairs(
    expected: Mapping[str, FloatArray], own_float32: Mapping[str, Tensor] | None, tolerance: Tolerance
) -> tuple[tuple[int, int], ...]:
    """Pairs of images that could change places in every output without leaving the tolerance."""
    count = len(next(iter(expected.values())))
    same = np.ones((count, count), dtype=np.bool_)
    for name, rows in expected.items():
        if not np.isfinite(rows).all():
            return ()  # the comparison itself reports this
        limits = tolerance.limits(rows, None if own_float32 is None else own_float32[name])
        flat = rows_of(rows)
        for image in range(count):
            with np.errstate(over="ignore"):
                outside = np.abs(flat - flat[image]) > limits.limit[image]
            same[image] &= outside.mean(axis=1) <= tolerance.outlier_fraction
    both = same & same.T
    return tuple((int(i), int(j)) for i, j in zip(*np.nonzero(np.triu(both, k=1)), strict=True))


def _question_problems(
    session: Session,
    images: Tensor,
    expected: Mapping[str, FloatArray],
    own_float32: Mapping[str, Tensor] | None,
    sizes: Sequence[int],
) -> list[str]:
    problems = [] if expected else ["expected has no outputs"]
    inputs = session.signature.inputs
    if len(inputs) != len(images.dtype.names or (1,)):
        problems.append(f"the model must have one input, found {[spec.name for spec in inputs]}")
    problems += [
        f"the batch axis of {spec.name!r} is fixed ({list(spec.shape)}): export it as free"
        for spec in inputs
        if not spec.shape or not isinstance(spec.shape[0], str)
    ]
    problems += [
        f"expected {name!r} must be float64 with one row for each of {len(images)} images, "
        f"found {rows.dtype} {list(rows.shape)}"
        for name, rows in expected.items()
        if rows.dtype != np.float64 or rows.shape[:1] != (len(images),) or rows.size == 0
    ]
    problems += [
        f"own_float32 must hold {name!r} in the shape {list(rows.shape)}"
        for name, rows in expected.items()
        if own_float32 is not None and (name not in own_float32 or own_float32[name].shape != rows.shape)
    ]
    if not any(size > 1 for size in sizes):
        problems.append(f"sizes {list(sizes)} must have one above 1: a single image has no neighbours")
    if any(not 1 <= size <= len(images) for size in sizes):
        problems.append(f"sizes {list(sizes)} must lie between 1 and the number of images, {len(images)}")
    return problems
