"""Quantises a float TFLite file with ai-edge-quantizer's own static int8 recipe, calibrated on given images.

A program of its own, run by the Python of the converter's environment, which has ai-edge-quantizer and no condmix:

    python -I ai_edge_quantizer_worker.py FLOAT.tflite IMAGES.npy OUTPUT.tflite REPORT.json

IMAGES holds [count, ...], each image as the file takes it without its batch axis.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import sys
import time
from pathlib import Path

PACKAGES = ("ai-edge-quantizer",)


def main(arguments: list[str]) -> int:
    """OUTPUT holds the quantised flatbuffer and REPORT what it cost, calibration included."""
    float_path, images_path, output_path, report_path = map(Path, arguments)
    numpy = importlib.import_module("numpy")
    quantizer_module = importlib.import_module("ai_edge_quantizer.quantizer")
    recipe = importlib.import_module("ai_edge_quantizer.recipe")
    interpreter_module = importlib.import_module("ai_edge_litert.interpreter")
    images = numpy.load(images_path)
    signatures = interpreter_module.Interpreter(model_path=str(float_path)).get_signature_list()
    signature = next(iter(signatures))
    (name,) = signatures[signature]["inputs"]
    wall_start, cpu_start = time.perf_counter(), time.process_time()
    quantizer = quantizer_module.Quantizer(str(float_path))
    quantizer.load_quantization_recipe(recipe.static_wi8_ai8())
    calibration = quantizer.calibrate({signature: [{name: image[None]} for image in images]})
    quantizer.quantize(calibration).export_model(str(output_path), overwrite=True)
    report = {
        "wall_seconds": time.perf_counter() - wall_start,
        "cpu_seconds": time.process_time() - cpu_start,
        "versions": {package: importlib.metadata.version(package) for package in PACKAGES},
    }
    report_path.write_text(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
