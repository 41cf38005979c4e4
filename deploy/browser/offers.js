// What this browser is and offers, as far as it tells.
"use strict";

export const SCHEMA = 1;
const CLOCK_STEPS = 40;
const CLOCK_PATIENCE_MS = 600;
// v128.const 0, v128.const 0, v128.const 0, f32x4.relaxed_madd, drop: only a browser with relaxed SIMD accepts it.
const RELAXED_SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 128, 2, 11,
]);

export function clockStepNs() {
  let least = Infinity, seen = 0, last = performance.now();
  const begin = last;
  while (seen < CLOCK_STEPS && last - begin < CLOCK_PATIENCE_MS) {
    const next = performance.now();
    if (next > last) { least = Math.min(least, next - last); seen += 1; last = next; }
  }
  return Math.max(1, Math.round((Number.isFinite(least) ? least : CLOCK_PATIENCE_MS) * 1e6));
}

async function webgpu() {
  if (!self.isSecureContext) return [null, "WebGPU needs https or localhost"];
  if (!navigator.gpu) return [null, "this browser has no WebGPU"];
  try {
    const adapter = await navigator.gpu.requestAdapter();
    if (!adapter) return [null, "this browser has WebGPU, but finds no adapter for it"];
    const { vendor, architecture, device, description } = adapter.info ?? {};
    const words = [vendor, architecture, device, description].filter(Boolean).join(" ") || "an adapter that does not say what it is";
    return [words, null];
  } catch (error) {
    return [null, `WebGPU gives no adapter: ${error.message}`];
  }
}

export async function power() {
  try {
    const battery = await navigator.getBattery();
    return `${battery.charging ? "charging" : "battery discharging"}, ${Math.round(battery.level * 100)} %`;
  } catch { return null; }
}

export async function facts() {
  let hints = {};
  try { hints = await navigator.userAgentData.getHighEntropyValues(["architecture", "bitness", "model", "platformVersion"]); } catch { /* few browsers tell */ }
  const [adapter, missing] = await webgpu();
  return {
    schema_version: SCHEMA, kind: "condmix-browser-facts",
    user_agent: navigator.userAgent,
    platform: hints.platform ? `${hints.platform} ${hints.platformVersion ?? ""}`.trim() : null,
    architecture: hints.architecture ? `${hints.architecture} ${hints.bitness ?? ""}`.trim() : null,
    model: hints.model || null,
    hardware_concurrency: navigator.hardwareConcurrency ?? null,
    device_memory_gib: navigator.deviceMemory ?? null,
    cross_origin_isolated: self.crossOriginIsolated === true,
    secure_context: self.isSecureContext === true,
    relaxed_simd: WebAssembly.validate(RELAXED_SIMD),
    webgpu_adapter: adapter, webgpu_missing: missing,
    clock_step_ns: clockStepNs(),
    power: await power(),
    screen: `${screen.width}x${screen.height} at ${window.devicePixelRatio}`,
  };
}
