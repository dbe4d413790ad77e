// The receiver's page: sends, lists, and tells what happens while it happens.

import * as charts from "./charts.js";
import * as files from "./files.js";
import * as letters from "./letters.js";
import * as uploads from "./uploads.js";
import { number, put, say, speak } from "./words.js";

const $ = (id) => document.getElementById(id);

/** Sentences that wait to be announced, so that many files at once are one sentence. */
const news = { names: [], timer: null, fade: null };

function announce(sentence) {
  $("news").textContent = sentence;
  clearTimeout(news.fade);
  news.fade = setTimeout(() => { $("news").textContent = ""; }, 8000);
}

function announceStored(name) {
  news.names.push(name);
  news.timer ??= setTimeout(() => {
    const [first, ...others] = news.names;
    const count = number(others.length + 1);
    announce(others.length ? say("areStored", { count }) : say("isStored", { name: first }));
    Object.assign(news, { names: [], timer: null });
  }, 700);
}

function listen() {
  const source = new EventSource("/events?figures=1");
  source.addEventListener("open", () => {
    put($("connection"), "live");
    files.reload(); // deletions are not told again
  });
  source.addEventListener("error", () => {
    put($("connection"), "offline");
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
  });
  source.addEventListener("message", (message) => {
    const { type, data } = JSON.parse(message.data);
    if (type === "dropline.file.stored") {
      files.stored({ ...data, type: data.media_type });
      announceStored(data.name);
    } else if (type === "dropline.file.deleted") {
      files.deleted(data.file_id);
    } else if (type === "dropline.station.measured") {
      charts.measured(data);
      if (data.station === "handle") letters.counted(data.failed);
    }
  });
}

speak(() => {
  for (const part of [uploads, files, charts, letters]) part.redraw();
});
$("curl").textContent = `curl -F file=@PATH ${location.origin}/upload`;
if (location.search) history.replaceState(null, "", "/"); // the token is in a cookie now
files.begin(announce);
letters.begin(announce);
uploads.begin(announce);
listen();
