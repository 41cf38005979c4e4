// From a detector's outputs to detections, as condmix.runtime.detection does it in NumPy: for files that end before
// non-maximum suppression, which is every TFLite file. No dependencies; numbers are rounded to float32 as there.
"use strict";

const f = Math.fround;
const CENTRE_SCALE = f(0.1);
const SIZE_SCALE = f(0.2);

// Corners (x_min, y_min, x_max, y_max in shares of the picture) of raw deltas, with the anchors that a raw file's
// metadata `detection` holds as base64; both are flat arrays of four numbers a box.
function decodeBoxes(deltas, anchors) {
  const corners = new Float32Array(deltas.length);
  for (let at = 0; at < deltas.length; at += 4) {
    for (let axis = 0; axis < 2; axis += 1) {
      const size = f(anchors[at + 2 + axis]);
      const centre = f(f(f(deltas[at + axis]) * f(CENTRE_SCALE * size)) + f(anchors[at + axis]));
      const half = f(f(Math.exp(f(f(deltas[at + 2 + axis]) * SIZE_SCALE))) * f(f(0.5) * size));
      corners[at + axis] = Math.min(Math.max(f(centre - half), 0), 1);
      corners[at + 2 + axis] = Math.min(Math.max(f(centre + half), 0), 1);
    }
  }
  return corners;
}

// Probabilities of raw logits: classes are independent of each other.
function probabilities(logits) {
  return Float32Array.from(logits, (value) => f(1 / (1 + f(Math.exp(-value)))));
}

function overlap(boxes, one, other) {
  const a = 4 * one;
  const b = 4 * other;
  const width = f(Math.min(boxes[a + 2], boxes[b + 2]) - Math.max(boxes[a], boxes[b]));
  const height = f(Math.min(boxes[a + 3], boxes[b + 3]) - Math.max(boxes[a + 1], boxes[b + 1]));
  if (width <= 0 || height <= 0) return 0;
  const shared = f(width * height);
  const area = (at) => f(f(boxes[at + 2] - boxes[at]) * f(boxes[at + 3] - boxes[at + 1]));
  return f(shared / f(f(area(a) + area(b)) - shared));
}

// What stays of one picture's boxes (flat, four corners each) and scores (flat, `classes` a box), best first:
// [{box: [x_min, y_min, x_max, y_max], score, label, anchor}]. Equal scores go by class, then by the box's place.
function suppress(boxes, scores, classes, { scoreThreshold = 0.3, iouThreshold = 0.5, maxDetections = 100 } = {}) {
  const anchors = boxes.length / 4;
  const kept = [];
  for (let label = 0; label < classes; label += 1) {
    const score = (anchor) => scores[anchor * classes + label];
    const candidates = [...Array(anchors).keys()].filter((anchor) => score(anchor) > f(scoreThreshold));
    candidates.sort((one, other) => score(other) - score(one) || one - other);
    const stay = [];
    for (const anchor of candidates) {
      if (stay.length === maxDetections) break;
      if (stay.every((better) => !(overlap(boxes, better, anchor) > f(iouThreshold)))) stay.push(anchor);
    }
    for (const anchor of stay) {
      kept.push({ box: Array.from(boxes.slice(4 * anchor, 4 * anchor + 4)), score: score(anchor), label, anchor });
    }
  }
  kept.sort((one, other) => other.score - one.score || one.label - other.label || one.anchor - other.anchor);
  return kept.slice(0, maxDetections);
}

// The anchors of a raw file: `detection.anchors` of its metadata, float32 in base64.
function anchorsOf(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

if (typeof module !== "undefined") {
  module.exports = { anchorsOf, decodeBoxes, probabilities, suppress };
}
