// Entities of a text and the elements that show them. Offsets count Unicode code points; JavaScript's strings count UTF-16.

/** The code points of a text; a lone surrogate, which no server can be sent, becomes U+FFFD. */
export function codePoints(text) {
  return Array.from(text, (point) => (/^\p{Surrogate}$/u.test(point) ? "\uFFFD" : point));
}

/** A hue for a type without one in entities.css: FNV-1a of its UTF-8, in 24 steps; components/export/output_formats.py has the same. */
export function otherHue(type) {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(type)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return (hash % 24) * 15;
}

/** A score as a percentage: 98.7%. */
export function percent(score) {
  return `${(100 * score).toFixed(1)}%`;
}

/** An element in the colour of a type. */
export function coloured(tag, type) {
  const element = document.createElement(tag);
  element.className = "entity";
  element.dataset.type = type;
  element.style.setProperty("--other", otherHue(type));
  return element;
}

function marked(entity) {
  const mark = coloured("mark", entity.type);
  mark.dataset.note = `${entity.type} · ${percent(entity.score)}`;
  mark.tabIndex = -1;
  const label = document.createElement("small");
  label.textContent = entity.type;
  const heard = document.createElement("span");
  heard.className = "heard";
  heard.textContent = ` ${percent(entity.score)} `;
  label.append(heard);
  mark.append(entity.text, label);
  return mark;
}

/** Shows a text, given as code points, with its entities marked, inside `place`. */
export function show(place, points, entities) {
  const pieces = [];
  let at = 0;
  for (const entity of entities) {
    pieces.push(points.slice(at, entity.start).join(""), marked(entity));
    at = entity.end;
  }
  pieces.push(points.slice(at).join(""));
  place.replaceChildren(...pieces);
}

/** One tab stop for all marks; the arrow keys, Home and End go from one to the next. */
export function letArrowsMove(place) {
  place.addEventListener("keydown", (event) => {
    const marks = [...place.querySelectorAll("mark")];
    const now = marks.indexOf(document.activeElement);
    const [before, after] = [now - 1, now + 1];
    const next = { ArrowRight: after, ArrowDown: after, ArrowLeft: before, ArrowUp: before, Home: 0, End: marks.length - 1 }[event.key];
    if (now < 0 || !marks[next]) return;
    event.preventDefault();
    marks[now].tabIndex = -1;
    marks[next].tabIndex = 0;
    marks[next].focus();
  });
}
