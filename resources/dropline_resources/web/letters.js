// Dead letters: what handlers gave up, and a way to have it tried again.

import { number, say, why } from "./words.js";

const SHOWN = 50;

const $ = (id) => document.getElementById(id);

let letters = [];
let announce = () => {};

export function begin(told) {
  announce = told;
  $("replay").addEventListener("click", async () => {
    const answer = await fetch("/dead-letters/replay", { method: "POST" });
    announce(answer.ok ? say("replayed") : why(await answer.json()));
  });
}

/** Tells how many there are now; they are read when that is another number. */
export async function counted(count) {
  if (count === letters.length) return;
  const answer = await fetch("/dead-letters");
  if (!answer.ok) return;
  letters = (await answer.json()).letters;
  redraw();
}

export function redraw() {
  $("letters").hidden = letters.length === 0;
  $("letters-list").replaceChildren(...letters.slice(0, SHOWN).map((letter) => {
    const item = document.createElement("li");
    const name = Object.assign(document.createElement("span"), { textContent: letter.name });
    name.className = "name";
    const why = document.createElement("span");
    why.className = "state";
    why.textContent = `${letter.handler}: ${letter.error}`;
    item.className = "failed";
    item.append(name, why);
    return item;
  }));
  $("more-letters").hidden = letters.length <= SHOWN;
  $("more-letters").textContent = say("others", { count: number(letters.length - SHOWN) });
}
