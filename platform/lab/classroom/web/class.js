// Replaces the content of the page every two seconds. What was unfolded stays unfolded.
"use strict";

const content = document.getElementById("content");
const state = document.getElementById("state");
const hide = document.getElementById("hide");
const EVERY_MS = 2000, PATIENCE_MS = 5000;
let shown = content.innerHTML, heard = new Date();

function clock(moment) { return moment.toLocaleTimeString([], { hour12: false }); }

function replace(text) {
  if (text === shown) return;  // an unchanged page keeps a selection and the place of the keyboard
  const open = new Set([...content.querySelectorAll("details[open]")].map(each => each.id));
  const focused = document.activeElement?.closest("details")?.id;
  const before = content.querySelector(".wide")?.scrollLeft;
  content.innerHTML = shown = text;
  content.querySelectorAll("details").forEach(each => { each.open = open.has(each.id); });
  if (focused) document.getElementById(focused)?.querySelector("summary").focus({ preventScroll: true });
  const wide = content.querySelector(".wide");
  if (wide && before) wide.scrollLeft = before;
}

async function look() {
  try {
    const answer = await fetch("now", { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!answer.ok) throw new Error(answer.status === 403 ? "the key of this page is no longer valid" : `status ${answer.status}`);
    replace(await answer.text());
    heard = new Date();
    state.className = "";
    state.textContent = "";
  } catch (error) {
    state.className = "lost";
    state.textContent = `No answer since ${clock(heard)} (${error.message}). Below is what was known then. Trying again.`;
  }
  setTimeout(look, EVERY_MS);
}

hide.addEventListener("change", () => document.body.classList.toggle("no-names", hide.checked));
document.body.classList.toggle("no-names", hide.checked);
setTimeout(look, EVERY_MS);
