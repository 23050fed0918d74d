// The threshold slider, folding, and unfolding for print. The page is complete without this script.
"use strict";
const at = (id) => document.getElementById(id);

function choose() {
  const { thresholds, curves } = JSON.parse(at("curves").textContent);
  const chart = at("threshold-chart");
  const marker = chart.querySelector(".marker");
  const { left, width, top: above, bottom } = Object.fromEntries(Object.entries(marker.dataset).map(([key, value]) => [key, Number(value)]));
  const ratio = (part, whole) => (whole ? part / whole : 0);

  function scores({ support, predicted, correct }, index) {
    return {
      precision: ratio(correct[index], predicted[index]),
      recall: ratio(correct[index], support),
      f1: ratio(2 * correct[index], predicted[index] + support),
      predicted: predicted[index],
      correct: correct[index],
    };
  }
  function draw() {
    const curve = curves[at("threshold-type").value];
    at("threshold-of").textContent = at("threshold-type").selectedOptions[0].textContent;
    const values = thresholds.map((_, index) => scores(curve, index));
    for (const part of ["precision", "recall", "f1"]) {
      const points = values.map((value, index) => `${(left + width * thresholds[index]).toFixed(1)},${(bottom - (bottom - above) * value[part]).toFixed(1)}`);
      chart.querySelector(`.line.${part}`).setAttribute("points", points.join(" "));
    }
    show();
  }
  function show() {
    const index = Number(at("threshold-value").value);
    const now = scores(curves[at("threshold-type").value], index);
    marker.setAttribute("transform", `translate(${left + width * thresholds[index]} 0)`);
    at("threshold-shown").textContent = thresholds[index].toFixed(2);
    at("threshold-value").setAttribute("aria-valuetext", thresholds[index].toFixed(2));
    for (const part of ["precision", "recall", "f1"]) at(`at-${part}`).textContent = now[part].toFixed(3);
    for (const part of ["predicted", "correct"]) at(`at-${part}`).textContent = now[part].toLocaleString("en");
  }
  at("threshold-type").addEventListener("change", draw);
  at("threshold-value").addEventListener("input", show);
  at("chooser").addEventListener("submit", (event) => event.preventDefault());
  at("chooser").hidden = false;
  draw();
}
if (at("chooser")) choose();

const detailsIn = (element) => [...element.querySelectorAll("details")];
for (const [id, open] of [["unfold", true], ["fold", false]]) {
  const button = at(id);
  if (!button) continue;
  button.hidden = false;
  button.addEventListener("click", () => detailsIn(at("errors")).forEach((details) => (details.open = open)));
}

// A link to a type unfolds its errors.
function unfold() {
  const target = at(location.hash.slice(1));
  if (target?.classList.contains("of-type")) detailsIn(target).forEach((details) => (details.open = true));
}
addEventListener("hashchange", unfold);
unfold();

let opened = [];
addEventListener("beforeprint", () => {
  opened = detailsIn(document).filter((details) => !details.open);
  opened.forEach((details) => (details.open = true));
});
addEventListener("afterprint", () => opened.forEach((details) => (details.open = false)));
