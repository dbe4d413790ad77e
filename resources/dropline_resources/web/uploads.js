// The queue of this page: files go to the receiver a few at a time, and survive a reload. Small ones
// go in one request each, others by tus.

import { chosen, dropped } from "./folders.js";
import { forget, keep, left, note } from "./kept.js";
import { bytes, number, percent, put, say, why } from "./words.js";

// A browser has six connections to one address, and one of them listens to the events.
const AT_ONCE = 4;
const SMALL = 1024 * 1024;
const PIECE = 16 * 1024 * 1024;
const RETRIES = [0, 1000, 3000, 5000, 10000, 20000];
// Transfers that are shown; more would make the page slow.
const SHOWN = 50;

const $ = (id) => document.getElementById(id);

/** Every upload that is not done, by id. Its state: waiting, active, failed, or lost (no file). */
const uploads = new Map();
const totals = { count: 0, done: 0, size: 0, sent: 0 };
let paused = false;
let asked = false;
let announce = () => {};

/** Take files from drops and inputs; `told(sentence)` is how the page announces. */
export async function begin(told) {
  announce = told;
  for (const id of ["files", "folder"]) {
    $(id).addEventListener("change", () => {
      add(chosen($(id)));
      $(id).value = "";
    });
  }
  $("pause").addEventListener("click", pause);
  takeDrops();
  for (const kept of await left()) {
    enter({ ...kept, state: kept.file ? "waiting" : "lost" });
  }
  go();
}

/** Draw anew, in another language. */
export function redraw() {
  put($("pause"), paused ? "resume" : "pause");
  draw();
}

function takeDrops() {
  let inside = 0;
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  const mark = (step) => (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    inside = Math.max(0, inside + step);
    document.body.classList.toggle("dragging", inside > 0);
  };
  document.addEventListener("dragenter", mark(1));
  document.addEventListener("dragleave", mark(-1));
  document.addEventListener("dragover", mark(0));
  document.addEventListener("drop", async (event) => {
    mark(-inside)(event);
    if (!carriesFiles(event)) return;
    try {
      for await (const batch of dropped(event.dataTransfer)) await add(batch);
    } catch (error) {
      announce(say("failed", { reason: error.message }));
    }
  });
}

async function add(found) {
  const fresh = [];
  const lost = [...uploads.values()].filter((upload) => upload.state === "lost");
  for (const { path, file } of found) {
    const known = lost.find((upload) => upload.path === path
      && upload.size === file.size && upload.modified === file.lastModified);
    if (known) {
      known.file = file;
      known.state = "waiting";
      continue;
    }
    const upload = {
      id: token(), path, file, size: file.size, modified: file.lastModified, type: file.type,
      url: null, sent: 0, state: "waiting",
    };
    enter(upload);
    fresh.push(upload);
  }
  go();
  await keep(fresh);
}

function enter(upload) {
  uploads.set(upload.id, upload);
  totals.count += 1;
  totals.size += upload.size;
  totals.sent += upload.sent;
}

function leave(upload) {
  uploads.delete(upload.id);
  forget(upload.id);
  if (uploads.size === 0) Object.assign(totals, { count: 0, done: 0, size: 0, sent: 0 });
}

/** Start what may start. */
function go() {
  let room = paused ? 0 : AT_ONCE;
  for (const upload of uploads.values()) {
    if (room === 0) break;
    if (upload.state === "waiting") start(upload);
    if (upload.state === "active") room -= 1;
  }
  ask();
}

function start(upload) {
  upload.state = "active";
  if (upload.size <= SMALL && !upload.url) {
    sendWhole(upload);
  } else {
    sendByTus(upload);
  }
}

async function sendWhole(upload) {
  const { signal } = upload.request = new AbortController();
  const name = upload.path.split("/").map(encodeURIComponent).join("/");
  const headers = {
    "Idempotency-Key": `page/${upload.id}`,
    "Content-Type": upload.type || "application/octet-stream",
  };
  for (const delay of RETRIES) {
    await new Promise((resolve) => setTimeout(resolve, delay));
    if (signal.aborted) return;
    try {
      const answer = await fetch(
        `/files/by-name/${name}`, { method: "PUT", body: upload.file, headers, signal });
      if (answer.ok) return finish(upload);
      if (!mayPass(answer.status)) return fail(upload, await answer.json());
    } catch {
      if (signal.aborted) return;
    }
  }
  fail(upload, null);
}

function sendByTus(upload) {
  upload.tus ??= new tus.Upload(upload.file, {
    endpoint: "/tus/",
    uploadUrl: upload.url,
    chunkSize: PIECE,
    retryDelays: RETRIES,
    uploadDataDuringCreation: true,
    storeFingerprintForResuming: false,
    headers: { "Idempotency-Key": `page/${upload.id}` },
    metadata: { filename: upload.path, filetype: upload.type },
    onUploadUrlAvailable: () => {
      upload.url = upload.tus.url;
      note(upload);
    },
    onProgress: (sent) => {
      totals.sent += sent - upload.sent;
      upload.sent = sent;
      ask();
    },
    onChunkComplete: () => note(upload),
    onShouldRetry: (error) => mayPass(error.originalResponse?.getStatus() ?? 0),
    onError: (error) => fail(upload, problemOf(error.originalResponse)),
    onSuccess: () => finish(upload),
  });
  upload.tus.start();
}

/** Whether a later try may go better: no answer, busy, or another request's turn. */
function mayPass(status) {
  return status === 0 || [409, 423, 429, 502, 503, 504].includes(status);
}

/** What the receiver said; null if it said nothing. */
function problemOf(answer) {
  try {
    return JSON.parse(answer.getBody());
  } catch {
    return null;
  }
}

function finish(upload) {
  totals.done += 1;
  totals.sent += upload.size - upload.sent;
  leave(upload);
  go();
}

function fail(upload, problem) {
  Object.assign(upload, { state: "failed", problem, tus: undefined });
  announce(say("failed", { reason: `${upload.path}: ${why(problem)}` }));
  go();
}

async function cancel(upload) {
  totals.count -= 1;
  totals.size -= upload.size;
  totals.sent -= upload.sent;
  leave(upload);
  go();
  upload.request?.abort();
  await upload.tus?.abort().catch(() => {});
  if (upload.url) await tus.Upload.terminate(upload.url, {}).catch(() => {});
}

async function pause() {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", paused);
  put($("pause"), paused ? "resume" : "pause");
  for (const upload of uploads.values()) {
    if (paused && upload.state === "active") {
      upload.state = "waiting";
      upload.request?.abort();
      upload.tus?.abort();
    }
  }
  go();
}

// --- what is shown -----------------------------------------------------------------------------

/** Draw once before the next frame, however often it is asked for. */
function ask() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(draw);
}

function draw() {
  asked = false;
  $("sending").hidden = uploads.size === 0;
  $("progress").max = Math.max(1, totals.size);
  $("progress").value = totals.size ? totals.sent : totals.done;
  $("total").textContent = say("total", {
    done: number(totals.done), count: number(totals.count),
    sent: bytes(totals.sent), size: bytes(totals.size),
  });
  const shown = [];
  for (const state of ["failed", "lost", "active", "waiting"]) {
    for (const upload of uploads.values()) {
      if (shown.length === SHOWN) break;
      if (upload.state === state) shown.push(upload);
    }
  }
  const rows = new Map([...$("transfers").children].map((row) => [row.dataset.id, row]));
  $("transfers").replaceChildren(...shown.map((upload) => row(upload, rows.get(upload.id))));
  $("more-transfers").hidden = shown.length === uploads.size;
  $("more-transfers").textContent = say("others", { count: number(uploads.size - shown.length) });
}

/** An upload's row: the one that there is, brought up to date, so that the focus stays in it. */
function row(upload, old) {
  const element = old ?? made(upload);
  const share = upload.size ? upload.sent / upload.size : 0;
  const [, state, again, stop, bar] = element.children;
  element.className = upload.state;
  state.textContent = told(upload, share);
  bar.value = share;
  bar.hidden = upload.state === "failed" || upload.sent === 0;
  bar.setAttribute("aria-label", upload.path);
  again.hidden = upload.state !== "failed";
  label(again, "retry", upload);
  label(stop, "cancel", upload);
  return element;
}

function told(upload, share) {
  if (upload.state === "failed") return say("failed", { reason: why(upload.problem) });
  if (upload.state === "lost") return say("again", { percent: percent(share) });
  if (upload.state === "active") return `${percent(share)} · ${bytes(upload.size)}`;
  return say(paused ? "paused" : "waiting");
}

function made(upload) {
  const element = document.createElement("li");
  element.dataset.id = upload.id;
  const name = Object.assign(document.createElement("span"), { textContent: upload.path });
  name.className = "name";
  const state = Object.assign(document.createElement("span"), { className: "state number" });
  const bar = Object.assign(document.createElement("progress"), { max: 1 });
  const again = Object.assign(document.createElement("button"), { type: "button" });
  again.addEventListener("click", () => {
    upload.state = "waiting";
    go();
  });
  const stop = Object.assign(document.createElement("button"), { type: "button" });
  stop.addEventListener("click", () => cancel(upload));
  again.className = stop.className = "small";
  element.append(name, state, again, stop, bar);
  return element;
}

function label(button, key, upload) {
  button.textContent = say(key);
  button.setAttribute("aria-label", say(`${key}Of`, { name: upload.path }));
}

/** A random id; `crypto.randomUUID` is for secure addresses alone. */
function token() {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
