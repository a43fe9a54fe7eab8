// Requests of the console: JSON in, JSON out; a problem becomes an Error with its sentence.

export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

async function answer(response) {
  const text = await response.text();
  let body;
  try { body = JSON.parse(text); } catch { body = { detail: text.trim() }; }
  if (!response.ok) throw new Problem(response.status, body.detail || response.statusText);
  return body;
}

function ask(path, query = {}) {
  const url = new URL(path, location.origin);
  for (const [name, value] of Object.entries(query)) if (value !== '' && value != null) url.searchParams.set(name, value);
  return fetch(url, { headers: { 'x-table-admin': 'console' } });
}

export const get = async (path, query) => answer(await ask(path, query));

// With the ETag, which a write over it says again.
export async function tagged(path) {
  const response = await ask(path);
  return { ...await answer(response), tag: response.headers.get('etag') };
}

export async function send(method, path, body, { query = {}, headers = {} } = {}) {
  const url = new URL(path, location.origin);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return answer(await fetch(url, {
    method,
    headers: { 'content-type': 'application/json', 'x-table-admin': 'console', 'idempotency-key': crypto.randomUUID?.() ?? String(Math.random()), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  }));
}

export const route = (domain) => `/api/routes/${encodeURIComponent(domain)}`;
