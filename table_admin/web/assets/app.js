// The console: what is chosen is in the address (#/domain, #env/name, #new), so that it can be shared.

import { byId } from './dom.js';
import { hideDetail, showDetail } from './detail.js';
import { showEnvironment } from './environment.js';
import { get } from './http.js';
import { choose, moveFocus, search } from './list.js';

const config = await get('/config');
byId('stack').textContent = config.stack;
let environment = '';

function failed(error) {
  byId('status').className = 'bad';
  byId('status').textContent = error.message;
}

function chosen() {
  return location.hash.startsWith('#/') ? decodeURIComponent(location.hash.slice(2)) : '';
}

async function list(options) {
  try {
    const found = await search(environment, chosen(), options);
    if (!found.complete) setTimeout(list, 1000, { again: true });
  } catch (error) { failed(error); }
}

async function changed(domain) {
  await list();
  await showEnvironment(environment, config.edge, { changed, failed });
  if (!domain) return;
  if (chosen() === domain) await show(); else location.hash = `#/${domain}`;
}

async function show() {
  const domain = chosen();
  try {
    if (location.hash === '#new') await showDetail('', { edge: config.edge, changed });
    else if (domain) await showDetail(domain, { edge: config.edge, changed });
    else hideDetail();
    choose(domain);
  } catch (error) { failed(error); }
}

async function navigate() {
  byId('review').close(); // it is of what was shown before
  const wanted = location.hash.startsWith('#env/') ? decodeURIComponent(location.hash.slice(5)) : '';
  if (wanted !== environment && !chosen() && location.hash !== '#new') {
    environment = wanted;
    await Promise.all([list(), showEnvironment(environment, config.edge, { changed, failed })]);
  }
  await show();
}

let typing;
byId('words').addEventListener('input', () => { clearTimeout(typing); typing = setTimeout(list, 80); });
byId('expiring').addEventListener('change', () => list());
byId('more').addEventListener('click', () => list({ more: true }));
byId('new').addEventListener('click', () => { location.hash = '#new'; });
byId('search').addEventListener('submit', (event) => { event.preventDefault(); moveFocus(0); });
addEventListener('hashchange', navigate);
addEventListener('keydown', (event) => {
  if (byId('review').open) return; // it closes itself, and what is behind it rests
  const typingIn = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? '');
  if (event.key === '/' && !typingIn) { event.preventDefault(); byId('words').focus(); }
  else if (event.key === 'Escape' && location.hash.length > 1) {
    const last = chosen();
    location.hash = environment ? `#env/${encodeURIComponent(environment)}` : '#';
    document.querySelector(`[data-domain="${CSS.escape(last)}"] a`)?.focus();
  } else if ((event.key === 'ArrowDown' || event.key === 'ArrowUp') && (!typingIn || document.activeElement === byId('words')) && !event.target.closest('#detail')) {
    event.preventDefault();
    moveFocus(event.key === 'ArrowDown' ? 1 : -1);
  }
});

// What others change is shown soon, but not under somebody's hands.
setInterval(() => {
  if (document.visibilityState === 'visible' && !byId('results').contains(document.activeElement)) list({ again: true });
}, 5000);

await list();
await navigate();
