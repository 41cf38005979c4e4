// What a browser offers is found out, the server says what to measure, it is measured in turns, and the server judges.
"use strict";

import { SCHEMA, clockStepNs, facts, power } from "./offers.js";
import { drawings } from "./drawing.js";
import { Subject } from "./subject.js";

const HEARTBEAT_MS = 1000;
const byId = (name) => document.getElementById(name);
const now = () => performance.timeOrigin + performance.now();
const stages = { stage: "", part: 0, at: 0 };
let stopped = null, finished = false, hiddenSince = null, hiddenMs = 0;

class RefusedError extends Error {}

async function post(path, body) {
  const response = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const text = await response.text();
  let answer;
  try { answer = JSON.parse(text); } catch { answer = { error: text.slice(0, 500) }; }
  if (!response.ok) throw new RefusedError(answer.error ?? `the computer answered ${response.status}`);
  return answer;
}

async function content(path) {
  const response = await fetch(path);
  if (!response.ok) throw new RefusedError(`${path}: the computer answered ${response.status}`);
  return response.arrayBuffer();
}

// ---- the measurement ------------------------------------------------------------------------------------------------
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function shuffled(items, random) {
  const mixed = [...items];
  for (let last = mixed.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    [mixed[last], mixed[other]] = [mixed[other], mixed[last]];
  }
  return mixed;
}

async function measure(plan, subjects, feeds) {
  say("fetching the models", 0);
  const models = [];
  for (const { path } of plan.models) models.push(await content(path));
  for (const { path } of plan.feeds) feeds.push(await content(path));
  const total = plan.settings.openings * subjects.length;
  let done = 0, rounds = 0;
  for (let number = 0; number < plan.settings.openings && stopped === null; number += 1) {
    for (const subject of subjects) {
      say(`opening ${subject.told.name}, ${number + 1} of ${plan.settings.openings}`, done / total);
      if (stopped === null) await subject.open(models, feeds);
      showLive(subjects);
      done += 1;
    }
  }
  const random = generator(plan.settings.seed), origin = now();
  hiddenMs = 0;
  hiddenSince = document.hidden ? now() : null;
  while (stopped === null && subjects.some((subject) => subject.progress() < 1)) {
    const most = plan.settings.maximum_seconds;
    if (most !== null && (now() - origin) / 1000 >= most) break;
    say(`measuring, round ${rounds + 1}`, Math.min(...subjects.map((subject) => subject.progress())));
    for (const subject of shuffled(subjects, random)) await subject.turn(rounds, origin);
    rounds += 1;
    if (rounds % 5 === 0) { showLive(subjects); await new Promise((resolve) => { setTimeout(resolve); }); }
  }
  for (const subject of subjects) subject.close();
  return rounds;
}

function beat(nonce) {
  const timer = setInterval(async () => {
    try {
      const answer = await post("progress", { nonce, stage: stages.stage, part: stages.part });
      if (answer.stop) stopped ??= answer.stop;
    } catch (error) {
      // A computer that no longer knows this page has no use for what it measures.
      if (error instanceof RefusedError) stopped ??= `the computer refused: ${error.message}`;
    }
  }, HEARTBEAT_MS);
  return () => clearInterval(timer);
}

// ---- what is shown --------------------------------------------------------------------------------------------------
function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function say(stage, part) {
  Object.assign(stages, { stage, part });
  if (now() - stages.at < 80 && part < 1) return;
  stages.at = now();
  byId("stage").textContent = stage;
  byId("part").value = part;
  byId("percent").textContent = `${Math.floor(part * 100)} %`;
}

function fillTable(columns, rows) {
  byId("head").replaceChildren(...columns.map((column) => element("th", column, { scope: "col" })));
  byId("rows").replaceChildren(...rows.map(({ name, cells, state, note }) => {
    const row = element("tr", undefined, { class: state });
    row.append(element("th", name, cells.length ? { scope: "row" } : { scope: "row", colspan: String(columns.length) }));
    cells.forEach((cell, place) => row.append(element("td", cell, { "data-label": columns[place + 1] })));
    const parts = [row];
    if (note) {
      const noted = element("tr", undefined, { class: `note ${state}` });
      noted.append(element("td", note, { colspan: String(columns.length) }));
      parts.push(noted);
    }
    return parts;
  }).flat());
  byId("table").hidden = false;
}

function showLive(subjects) {
  fillTable(["", "median so far", "runs"], subjects.map((subject) => {
    const median = subject.medianMs();
    return {
      name: subject.told.name, state: subject.lost ? "bad" : "", note: subject.posted.failure,
      cells: [median === null ? "" : `${median.toPrecision(3)} ms`, String(subject.runs)],
    };
  }));
}

function showEnd(kind, title, lines) {
  finished = true;
  byId("running").hidden = true;
  const banner = byId("verdict");
  banner.className = kind;
  banner.replaceChildren(element("strong", title), ...lines.map((line) => element("p", line)));
  banner.hidden = false;
  document.documentElement.dataset.state = kind;
}

function showResult(view) {
  showEnd(view.state, view.verdict, [view.reason, ...view.findings]);
  fillTable(view.columns, view.rows);
  byId("facts").replaceChildren(...view.facts.flatMap(([name, value]) => [element("dt", name), element("dd", value)]));
  byId("about").hidden = false;
}

function showFound(plan, subjects, feeds) {
  const parts = drawings(plan, subjects, feeds);
  byId("pictures").replaceChildren(...parts);
  byId("found").hidden = !parts.length;
}

// ---- all of it ------------------------------------------------------------------------------------------------------
async function run() {
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) hiddenSince = now();
    else if (hiddenSince !== null) { hiddenMs += now() - hiddenSince; hiddenSince = null; }
  });
  byId("stop").addEventListener("click", () => { stopped ??= "stopped on the page"; });
  try { await navigator.wakeLock.request("screen"); } catch { /* the screen may then go dark: the page says to keep it on */ }
  say("looking at this browser", 0);
  const found = await facts();
  const plan = await post("claim", found);
  byId("title").textContent = plan.title;
  const subjects = plan.subjects.map((told) => new Subject(plan, told));
  showLive(subjects);
  const still = beat(plan.nonce);
  try {
    const feeds = [], rounds = await measure(plan, subjects, feeds);
    const hidden = hiddenMs + (hiddenSince === null ? 0 : now() - hiddenSince);
    still();
    say("handing in the report", 1);
    showLive(subjects);
    const view = await post("report", {
      schema_version: SCHEMA, kind: "condmix-browser-run", nonce: plan.nonce, rounds, interrupted: stopped,
      hidden_seconds: hidden / 1000, clock_step_ns: clockStepNs(), power: await power(), subjects: subjects.map((subject) => subject.posted),
    });
    showResult(view);
    showFound(plan, subjects, feeds);
  } finally {
    still();
    for (const subject of subjects) subject.close();
  }
}

run().catch((error) => {
  const refused = error instanceof RefusedError;
  showEnd("bad", refused ? "Refused" : "It did not work", [
    String(error.message || error), refused ? "Start condmix bench again on the computer, and open the new address." : "Look at the computer, and start again.",
  ]);
});
window.addEventListener("beforeunload", (event) => { if (!finished) event.preventDefault(); });
