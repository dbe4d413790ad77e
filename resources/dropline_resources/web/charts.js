// The stations' figures, as they come: a tile for each of λ, μ, L and τ, with its last minutes.

import { figure, say } from "./words.js";

const KEPT = 180;
const FIGURES = [
  ["lambda", "arrival_rate", ""],
  ["mu", "service_rate", ""],
  ["l", "mean_in_system", ""],
  ["tau", "mean_response", " s"],
];
const NAMES = { send: "sendStation", handle: "handle", receive: "receive" };
const SVG = "http://www.w3.org/2000/svg";

/** Each station's tiles and what they showed. */
const stations = new Map();

/** Show a station's reading. */
export function measured({ station, figures }) {
  document.getElementById("figures").hidden = false;
  if (!stations.has(station)) stations.set(station, made(station));
  const { tiles } = stations.get(station);
  for (const [index, [, key]] of FIGURES.entries()) {
    const tile = tiles[index];
    tile.values.push(figures[key]);
    if (tile.values.length > KEPT) tile.values.shift();
  }
  redraw();
}

export function redraw() {
  for (const [station, { title, tiles }] of stations) {
    title.textContent = NAMES[station] ? say(NAMES[station]) : station;
    for (const [index, [name, , unit]] of FIGURES.entries()) draw(tiles[index], name, unit);
  }
}

function made(station) {
  const title = document.createElement("h3");
  title.id = `station-${station}`;
  const list = document.createElement("dl");
  list.className = "station";
  list.setAttribute("aria-labelledby", title.id);
  const tiles = FIGURES.map(() => {
    const tile = Object.assign(document.createElement("div"), { className: "tile" });
    const term = document.createElement("dt");
    const value = document.createElement("dd");
    const chart = document.createElementNS(SVG, "svg");
    chart.setAttribute("viewBox", `0 0 ${KEPT} 32`);
    chart.setAttribute("preserveAspectRatio", "none");
    chart.setAttribute("role", "img");
    const line = chart.appendChild(document.createElementNS(SVG, "polyline"));
    const shown = Object.assign(document.createElement("span"), { className: "value" });
    value.append(shown, chart);
    tile.append(term, value);
    list.append(tile);
    return { term, shown, chart, line, values: [] };
  });
  document.getElementById("stations").append(title, list);
  return { title, tiles };
}

/** What is not known is a dash, and a gap is bridged by the line. */
function draw({ term, shown, chart, line, values }, name, unit) {
  const text = (value) => (value === null ? "–" : figure(value) + unit);
  const known = values.filter((value) => value !== null);
  const [low, high] = known.length ? [Math.min(...known), Math.max(...known)] : [null, null];
  term.textContent = say(name);
  shown.textContent = text(values.at(-1));
  chart.setAttribute("aria-label", say("last", {
    figure: say(name), value: text(values.at(-1)), low: text(low), high: text(high),
  }));
  const top = high || 1;
  line.setAttribute("points", values
    .map((value, at) => [KEPT - values.length + at, value])
    .filter(([, value]) => value !== null)
    .map(([x, value]) => `${x},${(31 - 30 * value / top).toFixed(1)}`)
    .join(" "));
}
