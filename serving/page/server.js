// TensorFlow Serving's REST interface, as far as the page needs it.

const SECONDS = 30;

/** What went wrong, in words for the person in front of the page. */
export class Trouble extends Error {}

async function ask(server, path, body, signal) {
  const limit = AbortSignal.timeout(1000 * SECONDS);
  const request = { cache: "no-store", signal: signal ? AbortSignal.any([signal, limit]) : limit };
  if (body !== undefined) {
    // Plain text spares a server of another origin the browser's question in advance, which it may not answer.
    Object.assign(request, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "text/plain; charset=utf-8" } });
  }
  let response, answer;
  try {
    response = await fetch(server.url + path, request);
    answer = await response.json().catch((error) => {
      if (error.name !== "SyntaxError") throw error;
      return undefined;
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Trouble(limit.aborted ? late(server) : unreachable(server));
  }
  if (response.ok && answer !== undefined) return answer;
  const said = typeof answer?.error === "string" ? ` It said: ${answer.error}` : "";
  throw new Trouble((REFUSALS[response.status] ?? refused)(server, response) + said);
}

const late = (server) => `${place(server)} did not answer within ${SECONDS} seconds. Try a shorter text, or again later.`;
const busy = (server) => `${place(server)} has too much to do. Try again in a moment.`;
const other = (server) => `${place(server)} is not TensorFlow Serving: its answer is no JSON of that kind. Check the address.`;
const refused = (server, response) => (response.ok ? other(server) : `${place(server)} refused (${response.status}).`);

const REFUSALS = {
  404: (server) => `${place(server)} has no model “${server.model}”, or none that can answer yet.`,
  405: other,
  413: (server) => `The text is longer than ${place(server)} takes. Split it.`,
  429: busy,
  503: busy,
  504: (server) => `${place(server)} ran out of time. Try a shorter text.`,
};

function unreachable(server) {
  if (!server.url) return `${place(server)} does not answer. Is it running?`;
  return (
    `${place(server)} does not answer this page. Either it is not running there, or it does not allow pages of other addresses: ` +
    "start TensorFlow Serving with --rest_api_enable_cors_support=true, tfx-ner serve with --cors."
  );
}

function place(server) {
  return server.url ? `The server ${server.url}` : "The server";
}

/** The versions of a model, newest first: `{version, state, error}`. */
export async function versions(server, signal) {
  const answer = await ask(server, `/v1/models/${encodeURIComponent(server.model)}`, undefined, signal);
  if (!Array.isArray(answer.model_version_status)) throw new Trouble(other(server));
  return answer.model_version_status
    .map(({ version, state, status }) => ({ version: String(version), state: String(state), error: String(status?.error_message ?? "") }))
    .sort((a, b) => Number(b.version) - Number(a.version));
}

/** The entities that the model finds in a text, given as code points: `{text, type, start, end, score}` in order. */
export async function recognise(server, points, signal) {
  const body = { signature_name: "serving_default", instances: [{ text: points.join("") }] };
  const { predictions } = await ask(server, `/v1/models/${encodeURIComponent(server.model)}:predict`, body, signal);
  const found = predictions?.[0];
  const columns = ["type", "start", "end", "score"].map((key) => found?.[key]);
  const fits = (column) => Array.isArray(column) && column.length >= found.count;
  if (!Number.isInteger(found?.count) || !columns.every(fits)) {
    throw new Trouble(
      `The model “${server.model}” does not answer as tfx-ner's models do (count, type, start, end and score). Name another one.`,
    );
  }
  const entities = [];
  for (let n = 0; n < found.count; n++) {
    const [type, start, end, score] = columns.map((column) => column[n]);
    if (!(start >= (entities.at(-1)?.end ?? 0) && start < end && end <= points.length)) {
      throw new Trouble(`The model's answer names a place that the text does not have (${start}–${end}).`);
    }
    entities.push({ text: points.slice(start, end).join(""), type: String(type), start, end, score: Number(score) });
  }
  return entities;
}
