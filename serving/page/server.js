// TensorFlow Serving's REST interface, as far as the page needs it.

const SECONDS = 30;

/** An error whose message is shown on the page. */
export class Trouble extends Error {}

async function ask(server, path, body, signal) {
  const limit = AbortSignal.timeout(1000 * SECONDS);
  const request = { cache: "no-store", signal: signal ? AbortSignal.any([signal, limit]) : limit };
  if (body !== undefined) {
    // As plain text the request needs no CORS preflight, which a server of another origin may not answer.
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
    throw new Trouble(limit.aborted ? timedOut(server) : unreachable(server));
  }
  if (response.ok && answer !== undefined) return answer;
  const reason = typeof answer?.error === "string" ? ` It said: ${answer.error}` : "";
  throw new Trouble((REFUSALS[response.status] ?? refused)(server, response) + reason);
}

const timedOut = (server) => `${nameOf(server)} did not answer within ${SECONDS} seconds. Try a shorter text, or again later.`;
const busy = (server) => `${nameOf(server)} has too many requests. Try again in a moment.`;
const notServing = (server) => `${nameOf(server)} is not TensorFlow Serving: its answer has another form. Check the address.`;
const refused = (server, response) => (response.ok ? notServing(server) : `${nameOf(server)} refused (${response.status}).`);

const REFUSALS = {
  404: (server) => `${nameOf(server)} has no model “${server.model}”, or no version of it can answer yet.`,
  405: notServing,
  413: (server) => `The text is longer than ${nameOf(server)} takes. Split it.`,
  429: busy,
  503: busy,
  504: (server) => `${nameOf(server)} ran out of time. Try a shorter text.`,
};

function unreachable(server) {
  if (!server.url) return `${nameOf(server)} does not answer. Is it running?`;
  return (
    `${nameOf(server)} does not answer this page. Either it is not running there, or it does not allow pages of other addresses: ` +
    "start TensorFlow Serving with --rest_api_enable_cors_support=true, tfx-ner serve with --cors."
  );
}

function nameOf(server) {
  return server.url ? `The server ${server.url}` : "The server";
}

/** The versions of a model, newest first: `{version, state, error}`. */
export async function versions(server, signal) {
  const answer = await ask(server, `/v1/models/${encodeURIComponent(server.model)}`, undefined, signal);
  if (!Array.isArray(answer.model_version_status)) throw new Trouble(notServing(server));
  return answer.model_version_status
    .map(({ version, state, status }) => ({ version: String(version), state: String(state), error: String(status?.error_message ?? "") }))
    .sort((a, b) => Number(b.version) - Number(a.version));
}

/** The entities that the model finds in a text, given as code points: `{text, type, start, end, score}` in order. */
export async function recognise(server, points, signal) {
  const body = { signature_name: "serving_default", instances: [{ text: points.join("") }] };
  const { predictions } = await ask(server, `/v1/models/${encodeURIComponent(server.model)}:predict`, body, signal);
  const prediction = predictions?.[0];
  const columns = ["type", "start", "end", "score"].map((key) => prediction?.[key]);
  const fits = (column) => Array.isArray(column) && column.length >= prediction.count;
  if (!Number.isInteger(prediction?.count) || !columns.every(fits)) {
    throw new Trouble(
      `The model “${server.model}” does not answer as tfx-ner's models do (count, type, start, end and score). Choose another model.`,
    );
  }
  const entities = [];
  for (let n = 0; n < prediction.count; n++) {
    const [type, start, end, score] = columns.map((column) => column[n]);
    if (!(start >= (entities.at(-1)?.end ?? 0) && start < end && end <= points.length)) {
      throw new Trouble(`The model's answer has offsets outside the text (${start}–${end}).`);
    }
    entities.push({ text: points.slice(start, end).join(""), type: String(type), start, end, score: Number(score) });
  }
  return entities;
}
