"""The float network's own results: what int8 files are compared with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from condmix.deploy.calibration_images import CalibrationImages
from condmix.deploy.int8.guard import Judge
from condmix.exporters.build import Prepared
from condmix.exporters.quantize.calibrate import routing_names
from condmix.exporters.verify.tapping import with_outputs
from condmix.runtime.joint_inputs import as_batch, feeds, first_part
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from condmix.runtime.output_kind import class_output

MOST_JUDGED_IMAGES = 59
"""Compared beside the verification images: enough for a median, each costs a run in every way of running."""
STEPS = 255
SMALLEST_SPAN = 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledScores:
    """Labelled images (count, channels, height, width), their classes, and the float network's scores of them, which
    are its `output`."""

    images_nchw: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    output: str
    judge: Judge | None = None
    """How scores are judged where they are not of classes; then labels only count the images."""

    def scores_in(self, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """The scores of all images in a file's outputs, one row an image."""
        if self.judge is not None:
            return self.judge.scores(outputs)
        return outputs[self.output].reshape(len(self.labels), -1)


@dataclass(frozen=True, kw_only=True, eq=False)
class JudgedImages:
    """Images (count, channels, height, width), and who knows what is on them."""

    images_nchw: np.ndarray
    judge: Judge


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatNetwork:
    """Outputs and routing on images, and scores on the labelled ones.

    images_nchw: those that drive the routing apart, then some of calibration or else labelled ones; only the latter are
    of the kind that the ranges know, so agreement and routing are judged on them (on all, where there are no others).
    outputs, routing: by name, rows for the last images. labelled: None without labelled images.
    judged_are: what those images are, in a word or two. input_names: of the network. kinds: what each output is.
    """

    images_nchw: np.ndarray
    outputs: Mapping[str, np.ndarray]
    routing: Mapping[str, np.ndarray]
    labelled: LabelledScores | None
    size_bytes: int
    judged_are: str
    input_names: tuple[str, ...]
    kinds: Mapping[str, str] = field(default_factory=dict)

    @property
    def judged_nchw(self) -> np.ndarray:
        """The images on which agreement and routing are judged."""
        return self.images_nchw[-len(next(iter(self.outputs.values()))) :]

    @property
    def input_step(self) -> float:
        """The same of the input."""
        return max(float(np.ptp(first_part(self.judged_nchw))), SMALLEST_SPAN) / STEPS

    @property
    def output_steps(self) -> dict[str, float]:
        """One step of an 8-bit grid over what each output was seen to be."""
        spans = {name: max(rows.max(), 0) - min(rows.min(), 0) for name, rows in self.outputs.items()}
        return {name: max(float(span), SMALLEST_SPAN) / STEPS for name, span in spans.items()}


def run_float(
    prepared: Prepared,
    verification_nchw: np.ndarray,
    calibration: CalibrationImages | None,
    labelled: CalibrationImages | None,
    judged_images: JudgedImages | None = None,
) -> FloatNetwork:
    """The last float stage on all images; it has been proven to be PyTorch's."""
    proto = prepared.built.final.proto
    names = routing_names(prepared.model.graph)
    content = with_outputs(proto, names).SerializeToString()
    session = OnnxRuntimeBackend().open(content, threads=2)
    inputs = [spec.name for spec in session.signature.inputs]
    images = judged = verification_nchw
    judged_are = "verification images"
    alike = labelled if calibration is None else calibration
    if alike is not None:
        judged_are = f"images of {alike.source.name}"
        judged = np.stack(list(_some(alike)))
        images = np.concatenate([verification_nchw, judged])
    rows = _rows(session.run(feeds(as_batch(image), inputs)) for image in judged)
    known = None
    if labelled is not None and labelled.labels is not None:
        output = class_output(prepared.built.output_kinds, [item.name for item in proto.graph.output])
        assert output is not None  # the plan asked for labels of classes
        own = np.stack(list(labelled))
        scores = np.concatenate([session.run(feeds(as_batch(image), inputs))[output].reshape(1, -1) for image in own])
        known = LabelledScores(images_nchw=own, labels=labelled.labels, scores=scores, output=output)
    if judged_images is not None:
        own = judged_images.images_nchw
        found = _rows(session.run(feeds(as_batch(image), inputs)) for image in own)
        known = LabelledScores(
            images_nchw=own,
            labels=np.zeros(len(own), np.int64),
            scores=judged_images.judge.scores(found),
            output="",
            judge=judged_images.judge,
        )
    return FloatNetwork(
        images_nchw=images,
        outputs={output.name: rows[output.name] for output in proto.graph.output},
        routing={name: rows[name].reshape(len(judged), -1) for name in names},
        labelled=known,
        size_bytes=proto.ByteSize(),
        judged_are=judged_are,
        input_names=tuple(inputs),
        kinds=prepared.built.output_kinds,
    )


def _rows(results: Iterable[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    collected: dict[str, list[np.ndarray]] = {}
    for result in results:
        for name, value in result.items():
            collected.setdefault(name, []).append(value[:1] if value.ndim > 1 else value[None])
    return {name: np.concatenate(values) for name, values in collected.items()}


def _some(images: CalibrationImages) -> Iterable[np.ndarray]:
    """A few, spread over all."""
    if len(images) <= MOST_JUDGED_IMAGES:
        return images
    return images.take([int(place) for place in np.linspace(0, len(images) - 1, MOST_JUDGED_IMAGES)])
