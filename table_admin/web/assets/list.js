// The list: a search that the console answers from memory, a page at a time.

import { countedRules, targetText } from './domains.js';
import { byId, element, expiry } from './dom.js';
import { get } from './http.js';
import { badges } from './policy.js';

const PAGE = 100;
let shown = [];
let asked = 0;

function row(entry, chosen) {
  const link = element('a', { href: `#/${entry.domain}` }, entry.domain);
  const environment = element('a', { href: `#env/${encodeURIComponent(entry.environment)}` }, entry.environment);
  return element('tr', { 'data-domain': entry.domain, 'aria-selected': String(entry.domain === chosen) },
    element('td', {}, link),
    element('td', {}, targetText(entry.target), entry.rules > 0 && ' ', entry.rules > 0 && element('span', { class: 'faint nowrap' }, countedRules(entry.rules)),
      ...entry.policy.flatMap((word) => [' ', ...badges([word])])),
    element('td', {}, environment, entry.service ? ` ${entry.service}` : ''),
    element('td', {}, expiry(entry.expires_at)));
}

function filters() {
  return { q: byId('words').value.trim(), expiring: byId('expiring').value };
}

export async function search(environment, chosen, { more = false, again = false } = {}) {
  const mine = ++asked;
  const limit = again ? Math.min(Math.max(shown.length, PAGE), 1000) : PAGE;
  const query = { ...filters(), environment, limit, offset: more ? shown.length : 0 };
  const found = await get('/search', query);
  if (mine !== asked) return found; // a newer search is under way
  if (again && byId('results').contains(document.activeElement)) return found; // not under somebody's hands
  shown = more ? [...shown, ...found.entries] : found.entries;
  const rows = found.entries.map((entry) => row(entry, chosen));
  if (more) byId('results').append(...rows); else byId('results').replaceChildren(...rows);
  byId('more').hidden = shown.length >= found.total;
  const what = environment ? `of ${environment}, ` : '';
  const loading = found.complete ? '' : ' (still reading the table)';
  byId('status').className = '';
  byId('status').textContent = `${found.total.toLocaleString('en')} routes, ${what}${shown.length.toLocaleString('en')} shown, of ${found.loaded.toLocaleString('en')} in the table${loading}`;
  return found;
}

export function choose(domain) {
  for (const found of byId('results').children) found.setAttribute('aria-selected', String(found.dataset.domain === domain));
}

// Up and down move between rows, as in any list.
export function moveFocus(step) {
  const links = [...byId('results').querySelectorAll('td:first-child a')];
  if (!links.length) return;
  const at = links.indexOf(document.activeElement);
  links[Math.max(0, Math.min(links.length - 1, at === -1 ? 0 : at + step))].focus();
}
