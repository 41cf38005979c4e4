// One opening of one file: the engine is started, the file is opened, run and timed, all away from the page's own thread.
// A classic worker: LiteRT.js loads its engine by importScripts. Messages are {id, kind, ...}, each answered once.
"use strict";

// What is behind the secret address: no message may show more.
const HOME = new URL(".", self.location.href).href;
const ASSETS = `${HOME}assets/`;
const NS_PER_MS = 1e6;
const QUIET_MS = 2;
const ARRAYS = {
  float32: Float32Array, float64: Float64Array, int8: Int8Array, uint8: Uint8Array, int16: Int16Array,
  uint16: Uint16Array, int32: Int32Array, uint32: Uint32Array, int64: BigInt64Array, uint64: BigUint64Array, bool: Uint8Array,
};
let opened = null;
let feeds = [];
let threads = 1;

const elapsedNs = (start, end) => Math.max(0, Math.round((end - start) * NS_PER_MS));

async function openOnnx(request) {
  const webgpu = request.backend === "webgpu";
  const ort = await import(ASSETS + (webgpu ? "ort.webgpu.min.mjs" : "ort.wasm.min.mjs"));
  ort.env.logLevel = "error";
  ort.env.wasm.wasmPaths = ASSETS;
  ort.env.wasm.numThreads = request.threads;
  ort.env.wasm.proxy = false;
  const options = { executionProviders: [request.backend], graphOptimizationLevel: "all" };
  const begin = performance.now();
  let starting = null;
  // There is no call that only starts the engine. A file that is none starts it and is then refused.
  try { await ort.InferenceSession.create(new Uint8Array(4), options); } catch (error) { starting = error; }
  const start = performance.now();
  let session;
  try {
    session = await ort.InferenceSession.create(new Uint8Array(request.model), options);
  } catch (error) {
    throw /previous call|already/i.test(String(error)) && starting ? starting : error;
  }
  const loadNs = elapsedNs(start, performance.now());
  return {
    engineVersion: ort.env.versions?.web ?? "unknown",
    engineStartNs: elapsedNs(begin, start), loadNs, fullyAccelerated: null, inputNames: session.inputNames,
    prepare: (arrays) => Object.fromEntries(
      arrays.map(({ name, dtype, shape, data }) => [name, new ort.Tensor(dtype, data, shape)])),
    run: async (fed) => {
      const outputs = await session.run(fed);
      return session.outputNames.map((name) => ({ name, dtype: outputs[name].type, shape: outputs[name].dims, data: outputs[name].data }));
    },
  };
}

async function openTflite(request) {
  const threaded = request.threads > 1, webgpu = request.backend === "webgpu";
  // Within a worker the engine's script cannot know where it lies itself.
  const script = ASSETS + "litert_wasm_threaded_internal.js";
  self.Module = { locateFile: (name) => ASSETS + name, ...(threaded ? { mainScriptUrlOrBlob: script } : {}) };
  const litert = await import(ASSETS + "litert.js");
  const begin = performance.now();
  // Shared between WebGPU and WASM, a file has to wait for the graphics processor in the middle: only this engine can.
  await litert.loadLiteRt(ASSETS, { threads: threaded, jspi: webgpu && "Suspending" in WebAssembly });
  const start = performance.now();
  const options = webgpu ? { accelerator: "webgpu", gpuOptions: { precision: "fp32" } }
    : { accelerator: "wasm", cpuOptions: { numThreads: request.threads } };
  const model = await litert.loadAndCompile(new Uint8Array(request.model), options);
  const loadNs = elapsedNs(start, performance.now());
  if (webgpu && model.options.accelerator !== "webgpu") {
    throw new Error("LiteRT.js cannot run every operator of this file on WebGPU and fell back to WASM, which is measured as such");
  }
  const inputs = model.getInputDetails(), outputs = model.getOutputDetails();
  return {
    engineVersion: request.versions.litert, engineStartNs: elapsedNs(begin, start), loadNs,
    fullyAccelerated: webgpu ? model.isFullyAccelerated : null, inputNames: inputs.map((one) => one.name),
    prepare: (arrays) => inputs.map((one) => arrays.find((array) => array.name === one.name)),
    run: async (fed) => {
      const tensors = fed.map((array) => new litert.Tensor(array.data, array.shape));
      const results = await model.run(tensors);
      const found = [];
      for (let place = 0; place < results.length; place += 1) {
        const one = outputs[place];
        found.push({ name: one.name, dtype: one.dtype, shape: [...one.shape], data: await results[place].data() });
      }
      for (const tensor of [...tensors, ...results]) if (!tensor.deleted) tensor.delete();
      return found;
    },
  };
}

// The rows of every feed as views of one buffer. Two files may call their only input differently.
function splitFeeds(described, buffer) {
  const only = described.arrays.length === 1 && opened.inputNames.length === 1;
  const missing = opened.inputNames.filter((name) => !only && !described.arrays.some((array) => array.name === name));
  if (missing.length) throw new Error(`the browser's engine asks for inputs of other names: ${missing.join(", ")}`);
  return Array.from({ length: described.count }, (_, place) => opened.prepare(described.arrays.map((array) => {
    const shape = array.shape.slice(1);
    const length = shape.reduce((product, one) => product * one, 1);
    const Kind = ARRAYS[array.dtype];
    const data = new Kind(buffer, array.offset + place * length * Kind.BYTES_PER_ELEMENT, length);
    return { name: only ? opened.inputNames[0] : array.name, dtype: array.dtype, shape, data };
  })));
}

function base64(array) {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  let text = "";
  for (let place = 0; place < bytes.length; place += 0x8000) text += String.fromCharCode(...bytes.subarray(place, place + 0x8000));
  return btoa(text);
}

// name -> {dtype, shape [K, ...], data}: what the reference is compared with, on the other side.
function stacked(all) {
  return Object.fromEntries(all[0].map((first, place) => {
    const total = new first.data.constructor(first.data.length * all.length);
    all.forEach((outputs, row) => total.set(outputs[place].data, row * first.data.length));
    return [first.name, { dtype: first.dtype, shape: [all.length, ...first.shape], data: base64(total) }];
  }));
}

const answers = {
  async open(request) {
    threads = request.threads;
    opened = await (request.engine === "onnxruntime" ? openOnnx(request) : openTflite(request));
    feeds = splitFeeds(request.feeds, request.feedsContent);
    return { engine_version: opened.engineVersion, engine_start_ns: opened.engineStartNs, load_ns: opened.loadNs, fully_accelerated: opened.fullyAccelerated };
  },

  // The first inference, one of every feed, and then as many as were asked for.
  async start({ warmupRuns, warmupSeconds }) {
    const wall = [], outputs = [];
    for (const feed of feeds) {
      const start = performance.now();
      const found = await opened.run(feed);
      wall.push(elapsedNs(start, performance.now()));
      outputs.push(found.map((one) => ({ ...one, data: one.data.slice() })));
    }
    const [first, ...warmup] = wall;
    const begin = performance.now();
    let total = warmup.reduce((sum, one) => sum + one, 0);
    // By the clock on the wall too: one that is too coarse to see a run would never come to the end.
    for (let place = 0; warmup.length < warmupRuns
         || Math.max(total, elapsedNs(begin, performance.now())) < warmupSeconds * 1e9; place += 1) {
      const start = performance.now();
      await opened.run(feeds[place % feeds.length]);
      warmup.push(elapsedNs(start, performance.now()));
      total += warmup.at(-1);
    }
    return { first_inference_ns: first, warmup_wall_ns: warmup, outputs: stacked(outputs) };
  },

  async turn({ first, runs, settlingRuns, origin }) {
    const start = new Float64Array(runs), end = new Float64Array(runs), { run } = opened;
    const inTurn = Array.from({ length: runs }, (_, place) => feeds[(first + place) % feeds.length]);
    for (let place = 0; place < settlingRuns; place += 1) await run(inTurn[place % runs]);
    for (let place = 0; place < runs; place += 1) {
      start[place] = performance.now();
      await run(inTurn[place]);
      end[place] = performance.now();
    }
    // The engine's other threads stop looking for work, which they would take from the next subject.
    if (threads > 1) await new Promise((resolve) => { setTimeout(resolve, QUIET_MS); });
    return {
      start_ns: Array.from(start, (one) => elapsedNs(origin, performance.timeOrigin + one)),
      wall_ns: Array.from(start, (one, place) => elapsedNs(one, end[place])),
    };
  },
};

// LiteRT.js's own words where it has no engine that can wait for the graphics processor and takes it for one that can.
function explained(words) {
  if (!words.startsWith("Asyncify is not defined")) return words;
  return `LiteRT.js shares a file between WebGPU and WASM only in browsers with JSPI and relaxed SIMD (${words})`;
}

self.addEventListener("message", async ({ data: request }) => {
  try {
    self.postMessage({ id: request.id, answer: await answers[request.kind](request) });
  } catch (error) {
    self.postMessage({ id: request.id, failure: explained(String(error?.message ?? error)).replaceAll(HOME, "").slice(0, 2000) });
  }
});
