// The threshold's slider, folding, and everything unfolded on paper. The page says all it has to say without it.
"use strict";
const at = (id) => document.getElementById(id);

function choose() {
  const { thresholds, curves } = JSON.parse(at("curves").textContent);
  const chart = at("threshold-chart");
  const marker = chart.querySelector(".marker");
  const { left, width, top: above, bottom } = Object.fromEntries(Object.entries(marker.dataset).map(([key, value]) => [key, Number(value)]));
  const ratio = (part, whole) => (whole ? part / whole : 0);

  function scores({ support, found, right }, place) {
    return {
      precision: ratio(right[place], found[place]),
      recall: ratio(right[place], support),
      f1: ratio(2 * right[place], found[place] + support),
      found: found[place],
      right: right[place],
    };
  }
  function draw() {
    const curve = curves[at("threshold-type").value];
    at("threshold-of").textContent = at("threshold-type").selectedOptions[0].textContent;
    const every = thresholds.map((_, place) => scores(curve, place));
    for (const part of ["precision", "recall", "f1"]) {
      const points = every.map((one, place) => `${(left + width * thresholds[place]).toFixed(1)},${(bottom - (bottom - above) * one[part]).toFixed(1)}`);
      chart.querySelector(`.line.${part}`).setAttribute("points", points.join(" "));
    }
    show();
  }
  function show() {
    const place = Number(at("threshold-value").value);
    const now = scores(curves[at("threshold-type").value], place);
    marker.setAttribute("transform", `translate(${left + width * thresholds[place]} 0)`);
    at("threshold-shown").textContent = thresholds[place].toFixed(2);
    at("threshold-value").setAttribute("aria-valuetext", thresholds[place].toFixed(2));
    for (const part of ["precision", "recall", "f1"]) at(`at-${part}`).textContent = now[part].toFixed(3);
    for (const part of ["found", "right"]) at(`at-${part}`).textContent = now[part].toLocaleString("en");
  }
  at("threshold-type").addEventListener("change", draw);
  at("threshold-value").addEventListener("input", show);
  at("chooser").addEventListener("submit", (event) => event.preventDefault());
  at("chooser").hidden = false;
  draw();
}
if (at("chooser")) choose();

const folded = (place) => [...place.querySelectorAll("details")];
for (const [id, open] of [["unfold", true], ["fold", false]]) {
  const button = at(id);
  if (!button) continue;
  button.hidden = false;
  button.addEventListener("click", () => folded(at("errors")).forEach((details) => (details.open = open)));
}

// A type's link unfolds what it leads to.
function unfold() {
  const target = at(location.hash.slice(1));
  if (target?.classList.contains("of-type")) folded(target).forEach((details) => (details.open = true));
}
addEventListener("hashchange", unfold);
unfold();

let opened = [];
addEventListener("beforeprint", () => {
  opened = folded(document).filter((details) => !details.open);
  opened.forEach((details) => (details.open = true));
});
addEventListener("afterprint", () => opened.forEach((details) => (details.open = false)));
