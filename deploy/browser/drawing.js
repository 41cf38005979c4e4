// What a detector found, drawn on the pictures that it was fed: boxes and names, by detection.js.
"use strict";

const MOST_PICTURES = 4;
const LEAST_SIDE = 240;
const COLOURS = ["#e4572e", "#2e86de", "#17a673", "#c678dd", "#d4a017", "#00a8a8", "#e84393", "#7f8c8d"];
const KINDS = {
  float32: Float32Array, float64: Float64Array, int8: Int8Array, uint8: Uint8Array, int16: Int16Array,
  uint16: Uint16Array, int32: Int32Array, uint32: Uint32Array,
};

// Real numbers of what a file stores, with its scale and zero point if it has them.
function reals(array, scale) {
  if (!scale) return Float32Array.from(array);
  return Float32Array.from(array, (value) => scale[0] * (value - scale[1]));
}

function storedOutput({ dtype, shape, data }, place) {
  const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  const all = new KINDS[dtype](bytes.buffer);
  const length = all.length / shape[0];
  return { row: all.subarray(place * length, (place + 1) * length), shape: shape.slice(1) };
}

// Boxes and probabilities of one picture, best first, as condmix detect would keep them.
function found(told, outputs, place) {
  const boxes = storedOutput(outputs.boxes, place), scores = storedOutput(outputs.scores, place);
  const classes = scores.shape.at(-1);
  // Of a file for several images the first.
  const images = boxes.shape.length === 3 ? boxes.shape[0] : 1;
  let corners = reals(boxes.row, told.scales.boxes).subarray(0, boxes.row.length / images);
  let chances = reals(scores.row, told.scales.scores).subarray(0, scores.row.length / images);
  if (told.anchors) {
    corners = decodeBoxes(corners, anchorsOf(told.anchors));
    chances = probabilities(chances);
  }
  return suppress(corners, chances, classes, told.suppression);
}

// The picture that went in, as it looked before its preprocessing.
function picture(told, described, buffer, place) {
  const array = described.arrays[0], shape = array.shape.slice(2), last = told.channels_last;
  const [height, width, channels] = last ? shape : [shape[1], shape[2], shape[0]];
  const whole = array.shape.slice(1).reduce((product, one) => product * one, 1), Kind = KINDS[array.dtype];
  const values = reals(new Kind(buffer, array.offset + place * whole * Kind.BYTES_PER_ELEMENT, height * width * channels), told.scales.input);
  const image = new ImageData(width, height);
  for (let pixel = 0; pixel < height * width; pixel += 1) {
    for (let colour = 0; colour < 3; colour += 1) {
      const channel = channels === 3 ? colour : 0;
      const value = values[last ? pixel * channels + channel : channel * height * width + pixel];
      image.data[4 * pixel + colour] = 255 * (value * told.std[channel] + told.mean[channel]);
    }
    image.data[4 * pixel + 3] = 255;
  }
  return image;
}

function canvasOf(image, detections, names) {
  const enlarged = Math.max(1, Math.ceil(LEAST_SIDE / Math.min(image.width, image.height)));
  const small = document.createElement("canvas"), canvas = document.createElement("canvas");
  Object.assign(small, { width: image.width, height: image.height });
  small.getContext("2d").putImageData(image, 0, 0);
  Object.assign(canvas, { width: image.width * enlarged, height: image.height * enlarged });
  const pen = canvas.getContext("2d");
  pen.imageSmoothingEnabled = false;
  pen.drawImage(small, 0, 0, canvas.width, canvas.height);
  pen.font = "13px system-ui, sans-serif";
  pen.textBaseline = "top";
  // The best last, so that it lies on top.
  for (const { box, score, label } of [...detections].reverse()) {
    const [left, top, right, bottom] = box.map((share, axis) => share * (axis % 2 ? canvas.height : canvas.width));
    const colour = COLOURS[label % COLOURS.length], words = `${names?.[label] ?? label} ${Math.round(100 * score)} %`;
    pen.strokeStyle = pen.fillStyle = colour;
    pen.lineWidth = 2;
    pen.strokeRect(left, top, right - left, bottom - top);
    const wide = pen.measureText(words).width + 6;
    const x = Math.min(Math.max(left, 0), canvas.width - wide), y = top >= 17 ? top - 17 : Math.min(top, canvas.height - 17);
    pen.fillRect(x, y, wide, 17);
    pen.fillStyle = "#ffffff";
    pen.fillText(words, x + 3, y + 2);
  }
  const said = detections.map(({ label, score }) => `${names?.[label] ?? label} ${Math.round(100 * score)} %`).join(", ");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", said || "nothing found");
  canvas.dataset.count = String(detections.length);
  return canvas;
}

// A heading and the first pictures for each subject that is a detector and gave outputs; [] without any.
export function drawings(plan, subjects, feeds) {
  const parts = [];
  for (const { told, posted } of subjects) {
    const outputs = posted.outputs[0];
    if (!told.drawing || !outputs?.boxes || !outputs.scores || told.name.endsWith("(again)")) continue;
    const described = plan.feeds[told.feeds], title = document.createElement("h3"), row = document.createElement("div");
    title.textContent = told.name;
    row.className = "pictures";
    for (let place = 0; place < Math.min(described.count, MOST_PICTURES); place += 1) {
      const image = picture(told.drawing, described, feeds[told.feeds], place);
      row.append(canvasOf(image, found(told.drawing, outputs, place), told.drawing.class_names));
    }
    parts.push(title, row);
  }
  return parts;
}
