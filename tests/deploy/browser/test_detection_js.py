"""detection.js against NumPy, in node where that is installed."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from condmix.exporters.detection.proof import draw_crowds
from condmix.runtime.detection.boxes import decode, probabilities
from condmix.runtime.detection.settings import SuppressionSettings
from condmix.runtime.detection.suppression import suppress

SCRIPT = Path(__file__).parents[3] / "deploy" / "browser" / "detection.js"
SETTINGS = SuppressionSettings(score_threshold=0.2, iou_threshold=0.4, max_detections=12)
PROGRAM = """
const d = require(process.argv[1]);
const given = JSON.parse(require("fs").readFileSync(0));
const anchors = d.anchorsOf(given.anchors);
console.log(JSON.stringify({
  boxes: Array.from(d.decodeBoxes(given.deltas, anchors)),
  scores: Array.from(d.probabilities(given.logits)),
  found: given.crowds.map((one) => d.suppress(Float32Array.from(one.boxes), Float32Array.from(one.scores), 3,
    { scoreThreshold: 0.2, iouThreshold: 0.4, maxDetections: 12 })),
}));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node to run detection.js outside of a browser")
def test_the_script_computes_what_numpy_computes() -> None:
    generator = np.random.default_rng(0)
    anchors = generator.uniform(0.05, 0.9, (50, 4)).astype(np.float32)
    deltas = generator.normal(0, 3, (50, 4)).astype(np.float32)
    logits = generator.normal(0, 4, (50, 3)).astype(np.float32)
    drawn = draw_crowds(50, 3)
    given = {
        "anchors": base64.b64encode(anchors.tobytes()).decode(),
        "deltas": deltas.ravel().tolist(),
        "logits": logits.ravel().tolist(),
        "crowds": [
            {"boxes": boxes.ravel().tolist(), "scores": scores.ravel().tolist()}
            for boxes, scores in zip(drawn["boxes"], drawn["scores"], strict=True)
        ],
    }
    done = subprocess.run(
        ["node", "-e", PROGRAM, str(SCRIPT)],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    result = json.loads(done.stdout)
    np.testing.assert_allclose(np.reshape(result["boxes"], (50, 4)), decode(deltas, anchors), atol=3e-6)
    np.testing.assert_allclose(np.reshape(result["scores"], (50, 3)), probabilities(logits), atol=1e-6)
    kept = 0
    for boxes, scores, found in zip(drawn["boxes"], drawn["scores"], result["found"], strict=True):
        wanted = suppress(boxes, scores, SETTINGS)
        kept += len(wanted)
        assert [(item["label"], item["anchor"]) for item in found] == list(
            zip(wanted.classes.tolist(), wanted.anchors.tolist(), strict=True)
        )
        np.testing.assert_array_equal(np.array([item["box"] for item in found]).reshape(-1, 4), wanted.boxes_xyxy)
    assert kept > 50
