// An environment: its URLs, and what is done with them together, over the revisions that are shown.

import { byId, element, field, time } from './dom.js';
import { countedRules, siteLink } from './domains.js';
import { changesTable } from './diff.js';
import { send, tagged } from './http.js';
import { review } from './review.js';

const expires = (found) => time(found.expires_at);
const whole = (found) => (found ? `${[found.target, countedRules(found.rules.length)].join(' ').trim()}, expires: ${expires(found)}` : 'a row that is broken');

function shownOf({ changes, left }, now, then) {
  const kept = left.map((text) => element('li', {}, text));
  return {
    shown: [
      changes.length ? changesTable(changes, now, then) : element('p', { class: 'message' }, 'Nothing changes.'),
      kept.length ? element('p', {}, 'These stay as they are:') : '', kept.length ? element('ul', {}, ...kept) : ''],
    changes: changes.length > 0,
  };
}

let asked = 0;

export async function showEnvironment(name, edge, { changed, failed }) {
  const card = byId('environment');
  const mine = ++asked;
  if (!name) { card.hidden = true; return; }
  card.inert ||= card.dataset.name !== name; // nobody takes down what was shown before
  const path = `/api/environments/${encodeURIComponent(name)}`;
  let found = { routes: [], tag: null };
  try { found = await tagged(path); } catch (error) { if (error.status !== 404) failed(error); }
  if (mine !== asked) return; // another is asked for by now
  const headers = { 'if-match': found.tag };
  const reload = async () => {
    card.inert = true; // what it shows is over, also of the same environment
    await changed();
    card.focus({ preventScroll: true });
  };
  const managed = found.routes.filter((route) => route.managed);
  const urls = found.routes.map((route) => element('li', {}, siteLink(route.domain, edge, route.domain), route.service ? ` ${route.service}` : ''));

  const extend = () => review({
    title: `Extend ${name}`,
    action: 'Extend',
    fields: [field('Add to what is left', 'add', { required: true, placeholder: '12h, 7d or 2w' })],
    preview: async ({ add }) => shownOf(await send('POST', `${path}/extend`, { add }, { query: { dry_run: 'true' }, headers }), expires, expires),
    write: ({ add, note }) => send('POST', `${path}/extend`, { add, note }, { headers }),
    reload,
  });
  const takeDown = () => review({
    title: `Take down ${name}? The history of its routes stays.`,
    action: 'Remove',
    preview: async () => shownOf(await send('DELETE', path, undefined, { query: { dry_run: 'true' }, headers }), whole, () => '(none)'),
    write: ({ note }) => send('DELETE', path, undefined, { query: { note }, headers }),
    reload,
  });

  card.replaceChildren(
    element('h2', {}, `Environment ${name}`),
    element('ul', { 'aria-label': `URLs of ${name}` }, ...urls),
    managed.length && managed.every((route) => route.expires_at == null) ? element('p', { class: 'faint' }, 'It is permanent: there is no expiry to extend.') : '',
    element('div', { class: 'buttons' },
      managed.some((route) => route.expires_at != null) && element('button', { type: 'button', onclick: extend }, 'Extend'),
      found.tag && element('button', { type: 'button', class: 'danger', onclick: takeDown }, 'Take down'),
      element('a', { href: '#' }, 'All environments')));
  card.dataset.name = name;
  card.hidden = card.inert = false;
}
