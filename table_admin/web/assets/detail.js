// One route: what it is, how its URL is answered, an edit that shows its diff first, its history.

import { byId, element, expiry, field, time } from './dom.js';
import { SHOWN, diffTable, value } from './diff.js';
import { siteLink, targetText, urlOf } from './domains.js';
import { get, route, send } from './http.js';
import { explainer } from './path.js';
import { badgesOf, policyCommands, policyFacts } from './policy.js';
import { review } from './review.js';
import { ruleList, ruleNews, rulesEditor } from './rules.js';
import { secondBadges, secondButtons, secondFacts } from './second.js';

function asked(form, found, rules) {
  const data = new FormData(form);
  const body = { target: data.get('target').trim(), note: data.get('note').trim() };
  // Who is named manages the route from then on; what the form was filled with says nothing new.
  const environment = data.get('environment').trim();
  if (environment && environment !== found?.environment) body.environment = environment;
  if (data.get('expires_in').trim()) body.expires_in = data.get('expires_in').trim();
  if (data.get('permanent')) body.permanent = true;
  const changed = rules.wanted();
  if (changed) body.rules = changed;
  return body;
}

function editor(found, saved) {
  const result = element('div', { 'aria-live': 'polite' });
  const over = () => result.replaceChildren(); // what was reviewed is another question by now
  const rules = rulesEditor(found, over);
  const domainField = found ? null : field('Domain', 'domain', { required: true, placeholder: 'env-42.example.com, or *.tenant.example.com' });
  const form = element('form', { class: 'edit' },
    domainField,
    field('Target', 'target', { required: true, value: found?.target, placeholder: 's3://bucket/prefix, a load balancer\u2019s ARN, https://host, redirect:https://host' }),
    rules.shown,
    field('Environment', 'environment', { value: found?.environment }),
    field('Expires in', 'expires_in', { placeholder: found?.expires_at ? `keep ${time(found.expires_at)}` : 'never; or 12h, 7d' }),
    element('label', { class: 'row' }, element('input', { name: 'permanent', type: 'checkbox' }), 'Permanent'),
    field('Note', 'note', { placeholder: 'Why' }),
    element('div', { class: 'buttons' }, element('button', { class: 'primary' }, 'Review changes')),
    result);
  const failed = (error) => result.replaceChildren(element('p', { class: 'message bad', role: 'alert' },
    error.status === 412 ? `${error.message} Reload to see it.` : error.message));
  form.addEventListener('input', over);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const domain = found ? found.domain : new FormData(form).get('domain').trim();
    const headers = found ? { 'if-match': `"${found.revision}"` } : { 'if-none-match': '*' };
    try {
      const body = asked(form, found, rules);
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

// Of the oldest that is shown nobody knows what was before, unless it is the first.
function rulesSince(entry, before) {
  if (entry.action === 'delete' || (!before && entry.revision > 1)) return null;
  return ruleNews(before?.action === 'delete' ? null : before?.route, entry.route);
}

function historyList(domain, revisions, current, back) {
  return element('ol', { class: 'history', 'aria-label': `History of ${domain}` }, ...revisions.map((entry, at) => element('li', {},
    element('div', {},
      element('b', {}, `${entry.revision} ${entry.action}`), ' ', entry.action === 'delete' || !entry.route ? '' : targetText(entry.route.target),
      rulesSince(entry, revisions[at + 1]),
      element('div', { class: 'faint' }, `${entry.updated_at.slice(0, 16).replace('T', ' ')}Z by ${entry.updated_by}${entry.note ? `: ${entry.note}` : ''}`)),
    entry.revision === current ? element('span', { class: 'faint' }, 'now')
      : element('button', { type: 'button', 'aria-label': `Roll back to revision ${entry.revision}`, onclick: () => back(entry.revision) }, 'Roll back'))));
}

// Each is made over the revision that is shown; where there is no route, only while there is none.
function writesOf(domain, found, reload) {
  const headers = found ? { 'if-match': `"${found.revision}"` } : { 'if-none-match': '*' };
  const path = route(domain);
  const tried = async (method, at, body) => {
    const change = await send(method, at, body, { query: { dry_run: 'true' }, headers });
    const message = change.message && element('p', { class: 'message' }, `${change.message[0].toUpperCase()}${change.message.slice(1)}.`);
    return { shown: [message, diffTable(change)].filter(Boolean), changes: change.action !== 'unchanged' };
  };
  return {
    // Of failover the API asks for no revision: in an outage nobody reads first.
    second: ({ title, action, at, fields, body = () => ({}) }) => review({
      title,
      action,
      fields,
      preview: (values) => tried('POST', `${path}/${at}`, body(values)),
      write: ({ note, ...values }) => send('POST', `${path}/${at}`, { ...body(values), note }, { headers }),
      reload,
    }),
    touch: () => review({
      title: `Empty the CDN of ${domain}? What it cached is asked for again, at the origin.`,
      action: 'Empty the CDN',
      preview: () => tried('POST', `${path}/touch`, {}),
      write: ({ note }) => send('POST', `${path}/touch`, { note }, { headers }),
      reload,
    }),
    remove: () => review({
      title: `Remove ${domain}? Its history stays, and can bring it back.`,
      action: 'Remove',
      preview: () => tried('DELETE', path),
      write: ({ note }) => send('DELETE', path, undefined, { query: { note }, headers }),
      reload,
    }),
    back: (to) => review({
      title: `Roll ${domain} back to revision ${to}?`,
      action: 'Roll back',
      preview: () => tried('POST', `${path}/rollback`, { to }),
      write: ({ note }) => send('POST', `${path}/rollback`, { to, note }, { headers }),
      reload,
    }),
  };
}

function shownFact(name, found) {
  if (name === 'target') return targetText(found.target);
  return name === 'expires_at' ? expiry(found.expires_at) : value(name, found);
}

let turn = 0;

// Where another is asked for meanwhile, that one is shown; until then nothing is done with what is shown still.
export async function showDetail(domain, options) {
  const mine = ++turn;
  byId('detail').inert = true;
  try { await draw(domain, options, () => mine === turn); } catch (error) {
    if (mine === turn) drawFailed(domain, error);
  } finally { if (mine === turn) byId('detail').inert = false; }
}

const closeButton = () => element('button', { type: 'button', id: 'close', 'aria-label': 'Close', onclick: () => { location.hash = '#'; } }, '\u00d7');

// Not what was shown before: that is of another domain.
function drawFailed(domain, error) {
  const place = byId('detail');
  place.replaceChildren(
    element('div', { class: 'top' }, element('h2', { id: 'detail-title' }, domain), closeButton()),
    element('p', { class: 'message bad', role: 'alert' }, error.message),
  );
  place.hidden = false;
}

async function draw(domain, { edge, changed }, isWanted) {
  const place = byId('detail');
  const close = closeButton();
  if (!domain) {
    place.replaceChildren(element('div', { class: 'top' }, element('h2', { id: 'detail-title' }, 'New route'), close), editor(null, changed));
    place.hidden = place.inert = false;
    place.querySelector('input').focus();
    return;
  }
  const [found, path, past] = await Promise.all([
    get(route(domain)).catch((error) => (error.status === 404 ? null : Promise.reject(error))),
    get('/api/explain', { url: urlOf(domain, edge) }),
    get(`${route(domain)}/history`, { limit: 50 }).catch((error) => (error.status === 404 ? { revisions: [] } : Promise.reject(error))),
  ]);
  if (!isWanted()) return;
  const writes = writesOf(domain, found, () => changed(domain));
  const facts = found && element('dl', {}, ...SHOWN.flatMap((name) => [
    element('dt', {}, name.replace('_', ' ')), element('dd', {}, shownFact(name, found))]),
  found.rules.length ? element('dt', {}, 'rules') : null, found.rules.length ? element('dd', {}, ruleList(found.rules)) : null,
  ...policyFacts(found), ...secondFacts(found),
  element('dt', {}, 'revision'), element('dd', {}, `${found.revision}, ${found.updated_at.slice(0, 16).replace('T', ' ')}Z by ${found.updated_by}`));
  place.replaceChildren(...[
    element('div', { class: 'top' }, element('h2', { id: 'detail-title' }, domain), close),
    found && element('p', { class: 'badges' }, ...badgesOf(found, secondBadges(found))),
    siteLink(domain, edge, 'Open the site'),
    facts ?? element('p', {}, 'This domain has no route; its history can bring it back.'),
    element('h3', {}, 'How its URL is answered'), explainer(path),
    found && element('div', { class: 'buttons' }, ...secondButtons(found, { ask: writes.second })),
    found && element('h3', {}, 'Edit'), found && editor(found, changed), found && policyCommands(found),
    found && element('div', { class: 'buttons' },
      element('button', { type: 'button', onclick: writes.touch }, 'Empty the CDN of it'),
      element('button', { type: 'button', class: 'danger', onclick: writes.remove }, 'Remove')),
    element('h3', {}, 'History'), historyList(domain, past.revisions, found?.revision, writes.back)].filter(Boolean));
  place.hidden = place.inert = false;
  place.focus({ preventScroll: true });
}

export function hideDetail() {
  turn += 1;
  byId('detail').hidden = true;
}
