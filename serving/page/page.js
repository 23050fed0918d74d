import { codePoints, coloured, letArrowsMove, percent, show } from "./entities.js";
import { EXAMPLES } from "./examples.js";
import { recognise, Trouble, versions } from "./server.js";

const LONGEST = 100_000;
const POLL_SECONDS = 5;

const at = (id) => document.getElementById(id);
const many = (count, one) => `${count.toLocaleString("en")} ${count === 1 ? one : `${one.replace(/y$/, "ie")}s`}`;

let server = { url: "", model: new URLSearchParams(location.search).get("model") || "ner" };
let result = null; // of the last answer: {points, entities}
let request = null; // AbortController of the request under way

function showError(message) {
  at("trouble").textContent = message;
  at("trouble").hidden = !message;
}

/** Shows an error in place of the entities of an earlier text. */
function showFailure(message) {
  result = null;
  at("marked").replaceChildren();
  at("keys").hidden = true;
  at("summary").textContent = "";
  drawTypes([]);
  drawTable([]);
  showError(message);
}

function draw() {
  const threshold = Number(at("threshold").value);
  at("threshold-value").textContent = `${threshold}%`;
  if (!result) return;
  const shown = result.entities.filter((entity) => 100 * entity.score >= threshold);
  show(at("marked"), result.points, shown);
  const first = at("marked").querySelector("mark");
  if (first) first.tabIndex = 0;
  at("keys").hidden = !first;
  const hidden = result.entities.length - shown.length;
  const left = hidden ? `, ${hidden.toLocaleString("en")} below ${threshold}% left out` : "";
  at("summary").textContent = many(shown.length, "entity") + left;
  drawTypes(shown);
  drawTable(shown);
}

function drawTypes(shown) {
  const counts = new Map();
  for (const { type } of shown) counts.set(type, (counts.get(type) ?? 0) + 1);
  at("types").replaceChildren(
    ...[...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([type, count]) => {
      const item = document.createElement("li");
      const chip = coloured("span", type);
      chip.textContent = `${type} ${count}`;
      item.append(chip);
      return item;
    }),
  );
}

function drawTable(shown) {
  const rows = shown.map((entity) => {
    const row = document.createElement("tr");
    const name = document.createElement("th");
    name.scope = "row";
    name.dir = "auto";
    name.textContent = entity.text;
    const type = document.createElement("td");
    const chip = coloured("span", entity.type);
    chip.textContent = entity.type;
    type.append(chip);
    row.append(name, type);
    for (const value of [percent(entity.score), `${entity.start}–${entity.end}`]) {
      const cell = document.createElement("td");
      cell.className = "number";
      cell.textContent = value;
      row.append(cell);
    }
    return row;
  });
  if (!rows.length) {
    const row = document.createElement("tr");
    const cell = document.createElement("td");
    cell.colSpan = 4;
    cell.className = "faint";
    cell.textContent = "No entities to show.";
    row.append(cell);
    rows.push(row);
  }
  at("rows").replaceChildren(...rows);
}

function measure() {
  const length = codePoints(at("input").value).length;
  at("length").classList.toggle("over", length > LONGEST);
  at("length").textContent = `${many(length, "character")} of at most ${LONGEST.toLocaleString("en")}`;
  return length;
}

async function find() {
  request?.abort();
  request = null;
  at("found").setAttribute("aria-busy", "false");
  const points = codePoints(at("input").value);
  const lang = at("input").lang;
  if (points.length > LONGEST) {
    const most = LONGEST.toLocaleString("en");
    return showFailure(`This text has ${many(points.length, "character")}; the page takes ${most}. Split it, or use tfx-ner predict.`);
  }
  const mine = (request = new AbortController());
  at("found").setAttribute("aria-busy", "true");
  try {
    const entities = await recognise(server, points, mine.signal);
    result = { points, entities };
    at("marked").lang = lang;
    showError("");
    draw();
    if (!points.length) at("marked").textContent = "The text is empty.";
  } catch (error) {
    if (mine.signal.aborted) return;
    if (!(error instanceof Trouble)) console.error(error);
    showFailure(error instanceof Trouble ? error.message : "Something went wrong on this page. Load it again.");
  } finally {
    if (request === mine) {
      request = null;
      at("found").setAttribute("aria-busy", "false");
    }
  }
}

const STATES = {
  START: "waits to be loaded",
  LOADING: "is loading",
  AVAILABLE: "is available",
  UNLOADING: "is unloading",
  END: "is not served",
};

function showState(lamp, message) {
  at("lamp").className = lamp;
  // Screen readers read a status aloud each time that it is written.
  if (at("state").textContent !== message) at("state").textContent = message;
}

async function updateState() {
  const shown = server;
  try {
    const all = await versions(shown);
    if (shown !== server) return;
    const serving = all.find((one) => one.state === "AVAILABLE");
    // Versions that ended without an error are not shown.
    const current = all.filter((one) => one.state !== "END" || one.error).slice(0, 4);
    const lines = current.map((one) => `version ${one.version} ${STATES[one.state] ?? one.state}${one.error ? ` (${one.error})` : ""}`);
    showState(serving ? "good" : "waits", `Model ${shown.model}: ${lines.join("; ") || "no version is served"}`);
  } catch (error) {
    if (shown === server) showState("bad", error instanceof Trouble ? error.message : String(error));
  }
}

async function watch() {
  if (!document.hidden) await updateState();
  setTimeout(watch, 1000 * POLL_SECONDS);
}

at("form").addEventListener("submit", (event) => {
  event.preventDefault();
  find();
});
at("input").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) find();
});
at("input").addEventListener("input", () => {
  at("input").lang = ""; // no longer the example's
  measure();
});
at("threshold").addEventListener("input", draw);
at("settings").addEventListener("submit", (event) => {
  event.preventDefault();
  const url = at("url").value.trim().replace(/\/+$/, "");
  server = { url: /^$|^https?:/i.test(url) ? url : `http://${url}`, model: at("name").value.trim() };
  updateState();
  if (at("input").value) find();
});
for (const example of EXAMPLES) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.lang = example.lang;
  button.textContent = example.name;
  button.addEventListener("click", () => {
    at("input").value = example.text;
    at("input").lang = example.lang;
    measure();
    find();
  });
  item.append(button);
  at("examples").append(item);
}
at("name").value = server.model;
letArrowsMove(at("marked"));
measure();
watch();
