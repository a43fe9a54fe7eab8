// An environment: its URLs, and what is done with them together.

import { byId, confirmed, element } from './dom.js';
import { get, send } from './http.js';

export async function showEnvironment(name, edge, { changed, failed }) {
  const card = byId('environment');
  if (!name) { card.hidden = true; return; }
  const path = `/api/environments/${encodeURIComponent(name)}`;
  const act = async (work) => { try { await work(); await changed(); } catch (error) { failed(error); } };
  let routes = [];
  try { ({ routes } = await get(path)); } catch (error) { if (error.status !== 404) failed(error); }
  const urls = routes.map((found) => element('li', {}, element('a', { href: edge.replace('{domain}', found.domain), target: '_blank', rel: 'noopener' }, found.domain), found.service ? ` ${found.service}` : ''));
  card.replaceChildren(
    element('h2', {}, `Environment ${name}`),
    element('ul', { 'aria-label': `URLs of ${name}` }, ...urls),
    element('div', { class: 'buttons' },
      element('button', { type: 'button', onclick: () => act(() => send('POST', `${path}/extend`, { expires_in: '7d' })) }, 'Extend by 7 days from now'),
      element('button', { type: 'button', class: 'danger', onclick: async () => {
        if (await confirmed(`Remove the ${routes.filter((found) => found.managed).length} routes that ${name} manages? Their history stays.`, 'Remove')) await act(() => send('DELETE', path));
      } }, 'Take down'),
      element('a', { href: '#' }, 'All environments')));
  card.hidden = false;
}
