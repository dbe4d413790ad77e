// The list of what the receiver holds: newest first, searched, shown a page at a time.

import { FOLDER } from "./folders.js";
import { bytes, put, say, when, why } from "./words.js";

const PAGE = 50;
// Rows that stay while new ones come.
const MOST = 200;

const $ = (id) => document.getElementById(id);

let files = [];
let next = null;
let query = "";
let asking = null;
/** What was told while the list was asked for, which the answer may not know: null if deleted. */
const meanwhile = new Map();
/** Stored files that are shown soon, together: many may come at once. */
let coming = [];
let announce = () => {};

export function begin(told) {
  announce = told;
  let timer;
  $("search").addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      query = $("search").value;
      reload();
    }, 200);
  });
  $("more").addEventListener("click", () => read(next));
}

/** Read the list anew. */
export function reload() {
  return read(null);
}

/** Show soon a file that was just stored. */
export function stored(file) {
  if (coming.push(file) === 1) setTimeout(show, 250);
}

/** Take a file off the list. */
export function deleted(fileId) {
  const others = (file) => file.file_id !== fileId;
  coming = coming.filter(others);
  files = files.filter(others);
  if (asking) meanwhile.set(fileId, null);
  draw();
}

export function redraw() {
  $("list").replaceChildren(); // in other words
  draw();
}

async function read(after) {
  asking?.abort();
  const mine = asking = new AbortController();
  meanwhile.clear();
  const about = new URLSearchParams({ order: "newest", limit: PAGE, q: query });
  let anew = !after;
  let found = 0;
  try {
    do { // a search is answered piece by piece: some hold nothing
      if (after) about.set("after", after);
      const answer = await fetch(`/files?${about}`, { signal: mine.signal });
      const told = await answer.json();
      if (!answer.ok) throw new Error(why(told));
      files = upToDate(anew ? told.files : [...files, ...told.files]);
      anew = false;
      found += told.files.length;
      next = after = told.next;
      draw();
    } while (next !== null && found < PAGE);
  } catch (error) {
    if (error.name !== "AbortError") announce(say("trouble", { reason: error.message }));
  } finally {
    if (asking === mine) asking = null;
  }
}

/** A list that was read, with what was told meanwhile; ids ascend in the order of storing. */
function upToDate(list) {
  const known = new Map(list.map((file) => [file.file_id, file]));
  for (const [fileId, file] of meanwhile) {
    if (file) known.set(fileId, file);
    else known.delete(fileId);
  }
  return [...known.values()].sort((one, other) => (one.file_id < other.file_id ? 1 : -1));
}

function show() {
  const wanted = query.toLowerCase();
  const known = new Set(files.map((file) => file.file_id));
  const fresh = coming.filter((file) =>
    file.name.toLowerCase().includes(wanted) && !known.has(file.file_id));
  coming = [];
  if (asking) for (const file of fresh) meanwhile.set(file.file_id, file);
  files = [...fresh.reverse(), ...files];
  if (files.length > MOST) {
    files.length = MOST;
    next = files[MOST - 1].file_id;
  }
  draw(fresh);
}

async function remove(file) {
  $("question").textContent = say("deleteQuestion", { name: file.name });
  $("ask").returnValue = "no";
  $("ask").showModal();
  await new Promise((resolve) => $("ask").addEventListener("close", resolve, { once: true }));
  if ($("ask").returnValue !== "yes") return;
  const at = files.findIndex((other) => other.file_id === file.file_id);
  const answer = await fetch(`/files/${file.file_id}`, { method: "DELETE" });
  if (!answer.ok && answer.status !== 404) {
    announce(why(await answer.json()));
    return;
  }
  deleted(file.file_id);
  announce(say("isDeleted", { name: file.name }));
  const rows = $("list").rows;
  (rows[Math.min(at, rows.length - 1)]?.querySelector("button") ?? $("stored")).focus();
}

function draw(fresh = []) {
  const rows = new Map([...$("list").rows].map((row) => [row.dataset.id, row]));
  const wanted = files.map((file) => {
    const row = rows.get(file.file_id) ?? made(file);
    rows.set(file.file_id, row);
    return row;
  });
  $("list").replaceChildren(...wanted);
  $("empty").hidden = files.length > 0;
  put($("empty"), query ? "noneFound" : "none");
  $("more").hidden = next === null;
  const marked = fresh.map((file) => rows.get(file.file_id)).filter(Boolean);
  for (const row of marked) row.classList.add("new");
  setTimeout(() => marked.forEach((row) => row.classList.remove("new")), 3000);
}

function made(file) {
  const row = document.createElement("tr");
  row.dataset.id = file.file_id;
  const name = cell(row, "name");
  if (file.type === FOLDER) {
    name.textContent = file.name;
  } else {
    const link = document.createElement("a");
    link.href = `/files/${file.file_id}`;
    link.download = "";
    link.textContent = file.name;
    name.append(link);
  }
  cell(row, "number").textContent = file.type === FOLDER ? say("isFolder") : bytes(file.size);
  cell(row, "when").textContent = when(file.stored_at);
  const button = Object.assign(document.createElement("button"), { type: "button" });
  button.className = "small";
  button.addEventListener("click", () => remove(file));
  button.textContent = say("delete");
  button.setAttribute("aria-label", say("deleteOf", { name: file.name }));
  cell(row, "act").append(button);
  return row;
}

function cell(row, kind) {
  const made = row.insertCell();
  made.className = kind;
  return made;
}
