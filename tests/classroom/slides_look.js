// Returns the faults of each slide of a deck: what is cut off, hard to see, or missing.
() => { const deck = document.querySelector(".deck"); return [...document.querySelectorAll(".slide")].map((slide, index) => {
  const frame = slide.getBoundingClientRect(), faults = [];
  if (Math.abs(frame.width - innerWidth) > 1 || Math.abs(frame.left) > 1 || Math.abs(frame.height - innerHeight) > 1)
    faults.push(`the slide is not the window: ${frame.width} by ${frame.height} at ${frame.left}`);
  if (deck.clientWidth < frame.width - 16) faults.push(`only ${deck.clientWidth} px are visible`);
  const inner = slide.querySelector(".inner");
  if (inner.scrollHeight > inner.clientHeight + 1) 
    faults.push(`${inner.scrollHeight - inner.clientHeight} px too high`);
  const luminance = text => {
    const [r, g, b] = text.match(/[\d.]+/g).map(Number).map(c => c / 255)
      .map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (!/, 0\)$|transparent/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  for (const part of slide.querySelectorAll("*")) {
    const style = getComputedStyle(part), box = part.getBoundingClientRect();
    if (style.display === "none" || !box.width) continue;
    const what = `${part.tagName} ${part.textContent.slice(0, 40)}`;
    if (box.right > frame.right + 1 || box.bottom > frame.bottom + 1 || 
        box.left < frame.left - 1 || box.top < frame.top - 1)
      faults.push(`outside: ${what}`);
    if (part.tagName === "PRE" && part.scrollWidth > part.clientWidth + 1) faults.push(`cut off: ${what}`);
    if (part.tagName === "IMG" && !(part.complete && part.naturalWidth > 300)) faults.push(`no picture: ${what}`);
    if (part.tagName === "IMG" && box.width < 500) faults.push(`small picture: ${box.width}`);
    const own = [...part.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!own) continue;
    const pair = [luminance(style.color), luminance(behind(part))].sort((a, b) => b - a);
    const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (contrast < LEAST_CONTRAST) faults.push(`contrast ${contrast.toFixed(1)}: ${what}`);
    if (parseFloat(style.fontSize) < LEAST_PIXELS) faults.push(`small letters ${style.fontSize}: ${what}`);
  }
  return { slide: index + 1, faults };
}).filter(found => found.faults.length); }
