"""What is different about a detector's int8 export: its tail stays float, accuracy is mean average precision."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import onnx

from condmix.deploy.detect.detection_set import read_detection_set
from condmix.deploy.detect.flags import NMS, DetectionFlags
from condmix.deploy.detect.judge import DetectionJudge
from condmix.deploy.detect.location import is_detection_set
from condmix.deploy.detect.reading import OutputReader
from condmix.deploy.detect.tail import FLOAT_MODULES
from condmix.deploy.errors import ImagesError
from condmix.deploy.int8.finish import ProvenFile
from condmix.deploy.int8.float_network import JudgedImages
from condmix.deploy.int8.plan import Int8Plan
from condmix.exporters.build import Prepared
from condmix.exporters.detection.proof import suppressed
from condmix.exporters.graph.facts import module_path
from condmix.models.network import LoadedNetwork


@dataclass(frozen=True, kw_only=True)
class Int8Detector:
    """A network that is a detector, and what was asked for of its tail."""

    network: LoadedNetwork
    flags: DetectionFlags

    def judged_images(self, evaluate: str | None) -> JudgedImages | None:
        """The pictures of --evaluate with what is on them; None without it. Raises ImagesError."""
        if evaluate is None:
            return None
        if not is_detection_set(evaluate):
            problem = "a detector is judged by its boxes: expected a folder with annotations.json (COCO) and images/"
            raise ImagesError(evaluate, [problem], purpose="evaluation")
        known = read_detection_set(evaluate, self.network.class_names)
        assert self.network.detection is not None
        reader = OutputReader.of(self.network.detection)
        return JudgedImages(images_nchw=known.inputs(self.network), judge=DetectionJudge(known=known, reader=reader))

    def with_float_tail(self, plan: Int8Plan, prepared: Prepared) -> Int8Plan:
        """The plan that keeps the joining of the maps and decoding in float, where the graph has them."""
        there = {module_path(node) for node in prepared.model.graph}
        tail = frozenset(FLOAT_MODULES) & there
        onnx_options, tflite_options = plan.onnx, plan.tflite
        if onnx_options is not None:
            onnx_options = dataclasses.replace(onnx_options, float_layers=onnx_options.float_layers | tail)
        if tflite_options is not None:
            tflite_options = dataclasses.replace(tflite_options, float_layers=tflite_options.float_layers | tail)
        return dataclasses.replace(plan, onnx=onnx_options, tflite=tflite_options)

    def with_suppression(self, file: ProvenFile, images_nchw: np.ndarray) -> ProvenFile:
        """The ONNX file with suppression behind its boxes, proven, where that was asked for and the file is sound."""
        if self.flags.detections != NMS or not file.passed:
            return file
        proto, proof = suppressed(onnx.load_from_string(file.candidate.content), images_nchw, self.flags.suppression)
        content = proto.SerializeToString(deterministic=True)
        return dataclasses.replace(
            file, candidate=dataclasses.replace(file.candidate, content=content), suppression=proof
        )
