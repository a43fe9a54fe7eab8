// One route: what it is, how its URL is answered, an edit that shows its diff first, its history.

import { byId, confirmed, element, expiry, time } from './dom.js';
import { get, route, send } from './http.js';
import { drawnPath } from './path.js';

const SHOWN = ['target', 'environment', 'service', 'owner', 'lifetime', 'expires_at', 'managed', 'source', 'note'];

function value(name, found) {
  const of = found ? found[name] : undefined;
  if (of == null || of === '') return name === 'expires_at' && found ? 'never' : '(none)';
  if (name === 'expires_at') return time(of);
  return typeof of === 'object' ? Object.entries(of).map(([key, part]) => `${key}=${part}`).join(' ') : String(of);
}

function diffTable(change) {
  const names = [...SHOWN, 'origin'].filter((name) => value(name, change.before) !== value(name, change.after));
  if (!names.length) return element('p', { class: 'message' }, 'Nothing changes.');
  return element('table', { class: 'diff' },
    element('thead', {}, element('tr', {}, ...['Attribute', 'Now', 'After'].map((head) => element('th', { scope: 'col' }, head)))),
    element('tbody', {}, ...names.map((name) => element('tr', {},
      element('th', { scope: 'row' }, name),
      element('td', {}, element('del', {}, value(name, change.before))),
      element('td', {}, element('ins', {}, value(name, change.after)))))));
}

function field(label, name, attributes = {}) {
  return element('label', {}, label, element('input', { name, type: 'text', autocomplete: 'off', spellcheck: 'false', ...attributes }));
}

function asked(form, found) {
  const data = new FormData(form);
  const body = { target: data.get('target').trim(), note: data.get('note').trim() };
  // Who is named manages the route from then on; what the form was filled with says nothing new.
  const environment = data.get('environment').trim();
  if (environment && environment !== found?.environment) body.environment = environment;
  if (data.get('expires_in').trim()) body.expires_in = data.get('expires_in').trim();
  if (data.get('permanent')) body.permanent = true;
  return body;
}

function editor(found, saved) {
  const result = element('div', { 'aria-live': 'polite' });
  const domainField = found ? null : field('Domain', 'domain', { required: true, placeholder: 'env-42.example.com' });
  const form = element('form', { class: 'edit' },
    domainField,
    field('Target', 'target', { required: true, value: found?.target, placeholder: 's3://bucket/prefix, a load balancer\u2019s ARN, https://host' }),
    field('Environment', 'environment', { value: found?.environment }),
    field('Expires in', 'expires_in', { placeholder: found?.expires_at ? `keep ${time(found.expires_at)}` : 'never; or 12h, 7d' }),
    element('label', { class: 'row' }, element('input', { name: 'permanent', type: 'checkbox' }), 'Permanent'),
    field('Note', 'note', { placeholder: 'Why' }),
    element('div', { class: 'buttons' }, element('button', { class: 'primary' }, 'Review changes')),
    result);
  const failed = (error) => result.replaceChildren(element('p', { class: 'message bad', role: 'alert' },
    error.status === 412 ? `${error.message} Reload to see it.` : error.message));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const domain = found ? found.domain : new FormData(form).get('domain').trim();
    const headers = found ? { 'if-match': `"${found.revision}"` } : { 'if-none-match': '*' };
    const body = asked(form, found);
    try {
      const change = await send('PUT', route(domain), body, { query: { dry_run: 'true' }, headers });
      const save = element('button', { type: 'button', class: 'primary', onclick: async () => {
        save.disabled = true;
        try { saved((await send('PUT', route(domain), body, { headers })).domain); } catch (error) { failed(error); }
      } }, 'Save');
      result.replaceChildren(diffTable(change), change.action === 'unchanged' ? '' : element('div', { class: 'buttons' }, save));
      if (change.action !== 'unchanged') save.focus();
    } catch (error) { failed(error); }
  });
  return form;
}

function historyList(domain, revisions, current, act) {
  return element('ol', { class: 'history', 'aria-label': `History of ${domain}` }, ...revisions.map((entry) => element('li', {},
    element('div', {},
      element('b', {}, `${entry.revision} ${entry.action}`), ` ${entry.action === 'delete' ? '' : entry.route?.target ?? ''}`,
      element('div', { class: 'faint' }, `${entry.updated_at.slice(0, 16).replace('T', ' ')}Z by ${entry.updated_by}${entry.note ? `: ${entry.note}` : ''}`)),
    entry.revision === current ? element('span', { class: 'faint' }, 'now')
      : element('button', { type: 'button', 'aria-label': `Roll back to revision ${entry.revision}`, onclick: () => act(() => send('POST', `${route(domain)}/rollback`, { to: entry.revision })) }, 'Roll back'))));
}

export async function showDetail(domain, { edge, changed }) {
  const place = byId('detail');
  const message = element('p', { class: 'message', role: 'status' });
  const act = async (work) => {
    try { await work(); await changed(domain); } catch (error) { message.className = 'message bad'; message.textContent = error.message; }
  };
  const close = element('button', { type: 'button', id: 'close', 'aria-label': 'Close', onclick: () => { location.hash = '#'; } }, '\u00d7');
  if (!domain) {
    place.replaceChildren(element('div', { class: 'top' }, element('h2', { id: 'detail-title' }, 'New route'), close), editor(null, changed));
    place.hidden = false;
    place.querySelector('input').focus();
    return;
  }
  const [found, path, past] = await Promise.all([
    get(route(domain)).catch((error) => (error.status === 404 ? null : Promise.reject(error))),
    get('/api/explain', { url: edge.replace('{domain}', domain) }),
    get(`${route(domain)}/history`, { limit: 50 }).catch((error) => (error.status === 404 ? { revisions: [] } : Promise.reject(error))),
  ]);
  const facts = found && element('dl', {}, ...SHOWN.flatMap((name) => [
    element('dt', {}, name.replace('_', ' ')), element('dd', {}, name === 'expires_at' ? expiry(found.expires_at) : value(name, found))]),
  element('dt', {}, 'revision'), element('dd', {}, `${found.revision}, ${found.updated_at.slice(0, 16).replace('T', ' ')}Z by ${found.updated_by}`));
  place.replaceChildren(...[
    element('div', { class: 'top' }, element('h2', { id: 'detail-title' }, domain), close),
    element('a', { href: edge.replace('{domain}', domain), target: '_blank', rel: 'noopener' }, 'Open the site'),
    facts ?? element('p', {}, 'This domain has no route; its history can bring it back.'),
    element('h3', {}, 'How its URL is answered'), drawnPath(path),
    found && element('h3', {}, 'Edit'), found && editor(found, changed),
    found && element('div', { class: 'buttons' },
      element('button', { type: 'button', onclick: () => act(() => send('POST', `${route(domain)}/touch`, {})) }, 'Empty the CDN of it'),
      element('button', { type: 'button', class: 'danger', onclick: async () => {
        if (await confirmed(`Remove ${domain}? Its history stays, and can bring it back.`, 'Remove')) await act(() => send('DELETE', route(domain)));
      } }, 'Remove')),
    message,
    element('h3', {}, 'History'), historyList(domain, past.revisions, found?.revision, act)].filter(Boolean));
  place.hidden = false;
  place.focus({ preventScroll: true });
}

export function hideDetail() {
  byId('detail').hidden = true;
}
