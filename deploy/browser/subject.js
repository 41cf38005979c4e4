// One subject while it is measured: its workers, and what they have told so far.
"use strict";

class LostError extends Error {}

class Opening {
  constructor(timeoutMs) {
    this.timeoutMs = timeoutMs;
    this.worker = new Worker("worker.js");
    this.waiting = new Map();
    this.count = 0;
    this.worker.addEventListener("message", ({ data }) => {
      const { resolve, reject } = this.waiting.get(data.id);
      this.waiting.delete(data.id);
      if ("failure" in data) reject(new LostError(data.failure)); else resolve(data.answer);
    });
    this.worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.lose(`its worker broke down: ${event.message || "without a word; memory may have run out"}`);
    });
  }

  lose(reason) {
    for (const { reject } of this.waiting.values()) reject(new LostError(reason));
    this.waiting.clear();
  }

  ask(kind, values, transfer = []) {
    const id = (this.count += 1);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.lose(`no answer within ${this.timeoutMs / 1000} s`), this.timeoutMs);
      const done = (how) => (value) => { clearTimeout(timer); how(value); };
      this.waiting.set(id, { resolve: done(resolve), reject: done(reject) });
      this.worker.postMessage({ id, kind, ...values }, transfer);
    });
  }
}

export class Subject {
  constructor(plan, told) {
    this.plan = plan;
    this.told = told;
    this.openings = [];
    this.totalNs = 0;
    this.posted = {
      name: told.name, engine_version: "", engine_start_ns: null, fully_accelerated: null, failure: null,
      openings: [], outputs: [], samples: { start_ns: [], wall_ns: [], round: [], opening: [], input: [] },
    };
  }

  get runs() { return this.posted.samples.wall_ns.length; }
  get lost() { return this.posted.failure !== null; }

  progress() {
    if (this.lost) return 1;
    const { minimum_runs: runs, minimum_seconds: seconds } = this.plan.settings;
    return Math.min(1, this.runs / runs, seconds ? this.totalNs / (seconds * 1e9) : 1);
  }

  async guarded(work) {
    if (this.lost) return;
    try {
      await work();
    } catch (error) {
      this.posted.failure = String(error.message || error).replace(/\s+/g, " ").slice(0, 1000) || "it failed without a word";
      this.close();
    }
  }

  async open(models, feeds) {
    await this.guarded(async () => {
      const { settings, timeout_ms: timeoutMs, versions } = this.plan;
      const opening = new Opening(timeoutMs);
      this.openings.push(opening);
      // Copies, which the worker gets to keep.
      const model = models[this.told.model].slice(0), feedsContent = feeds[this.told.feeds].slice(0);
      const { engine, backend, threads } = this.told;
      const request = { engine, backend, threads, versions, model, feedsContent, feeds: this.plan.feeds[this.told.feeds] };
      const answer = await opening.ask("open", request, [model, feedsContent]);
      const started = await opening.ask("start", { warmupRuns: settings.warmup_runs, warmupSeconds: settings.warmup_seconds });
      this.posted.engine_version = answer.engine_version;
      this.posted.engine_start_ns ??= answer.engine_start_ns;
      this.posted.fully_accelerated = answer.fully_accelerated;
      this.posted.outputs.push(started.outputs);
      this.posted.openings.push({ load_ns: answer.load_ns, first_inference_ns: started.first_inference_ns, warmup_wall_ns: started.warmup_wall_ns });
    });
  }

  async turn(round, origin) {
    await this.guarded(async () => {
      const { block, settling_runs: settlingRuns } = this.plan.settings;
      const { count } = this.plan.feeds[this.told.feeds];
      // Moved on now and then: of as many inputs as a block has runs, each would always have the same place in it.
      const moved = Math.floor(this.runs / (block * count));
      const opening = round % this.openings.length, first = (this.runs + moved) % count;
      const times = await this.openings[opening].ask("turn", { first, runs: block, settlingRuns, origin });
      const { samples } = this.posted;
      for (let place = 0; place < block; place += 1) {
        samples.start_ns.push(times.start_ns[place]);
        samples.wall_ns.push(times.wall_ns[place]);
        samples.round.push(round);
        samples.opening.push(opening);
        samples.input.push((first + place) % count);
        this.totalNs += times.wall_ns[place];
      }
    });
  }

  medianMs() {
    const sorted = this.posted.samples.wall_ns.slice(-200).sort((one, other) => one - other);
    return sorted.length ? sorted[Math.floor(sorted.length / 2)] / 1e6 : null;
  }

  close() { for (const { worker } of this.openings) worker.terminate(); }
}
