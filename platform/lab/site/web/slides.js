// Keys of a deck: arrows, Page Up and Down, space, Home and End.
const deck = document.querySelector(".deck"), slides = [...deck.children];
const here = () => Math.round(deck.scrollTop / innerHeight);
const go = to => slides[Math.max(0, Math.min(slides.length - 1, to))].scrollIntoView();
const steps = { ArrowRight: 1, ArrowDown: 1, PageDown: 1, " ": 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1 };
addEventListener("keydown", event => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const to = event.key === "Home" ? 0 : event.key === "End" ? slides.length - 1
    : event.key in steps ? here() + (event.shiftKey ? -1 : 1) * steps[event.key] : null;
  if (to !== null) { event.preventDefault(); go(to); }
});
