// The drawn path: how a URL is answered, from the same explain as the command's.

import { element, field } from './dom.js';
import { get } from './http.js';

function step(title, text, kind = '') {
  return element('li', { class: kind }, element('b', {}, title), element('code', {}, text));
}

const TITLES = { who: 'Who gets an answer', maintenance: 'Maintenance', noindex: 'Search engines are told to keep away', headers: 'Response headers',
  canary: 'Canary', standby: 'Standby' };

function drawnPath(found) {
  const steps = [step('Browser asks', found.url), step('Routing table', found.reason, found.row ? '' : 'bad')];
  if (found.rule_reason) steps.push(step(found.rule ? `Rule ${found.rule}` : 'Rules by path', found.rule_reason));
  for (const [name, words] of Object.entries(found.policy)) steps.push(step(TITLES[name] ?? name, words));
  if (found.let_in) steps.push(step('viewer-request answers others', `${found.viewer_request.status}`, 'bad'));
  const { viewer_request: viewer, origin_request: origin } = found.let_in ?? found;
  const whom = found.let_in ? ' for who is let in' : '';
  if (viewer.location) {
    steps.push(step(`viewer-request redirects${whom}`, `${viewer.status}, to ${viewer.location}`, 'end'));
  } else if (viewer.status) {
    steps.push(step(`viewer-request answers${whom}`, `${viewer.status}`, 'bad'));
  } else {
    steps.push(step(`viewer-request stamps the route${whom}`, `x-route: ${viewer.stamp}`));
    steps.push(step('CloudFront', 'answers from its cache under this stamp, or goes on'));
    if (origin.status) {
      steps.push(step('origin-request answers', `${origin.status}${origin.location ? `, to ${origin.location}` : ''}`, 'end'));
    } else {
      steps.push(step('origin-request sets the origin', `${origin.origin}${origin.uri}`));
      if (origin.file) {
        steps.push(step('The file is', `${origin.file}, sent with status ${origin.sent_with}`));
      }
      steps.push(step('Origin', `is asked as Host ${origin.host}${origin.forwarded_prefix ? `, with x-forwarded-prefix ${origin.forwarded_prefix}` : ''}`, 'end'));
    }
  }
  if (found.of_canary) {
    const { viewer_request: stamped, origin_request: asks } = found.of_canary;
    steps.push(step('On the canary\u2019s side viewer-request stamps', stamped.stamp ? `x-route: ${stamped.stamp}` : `${stamped.status}`));
    if (asks) steps.push(step('and origin-request sets the origin', asks.status ? `answers ${asks.status}` : `${asks.origin}${asks.uri}`, 'end'));
  }
  return element('ol', { class: 'path', 'aria-label': 'How this URL is answered' }, ...steps);
}

// The path of one URL, and a field to ask for another's.
export function explainer(found) {
  const result = element('div', { class: 'result', tabindex: '-1' }, drawnPath(found));
  const form = element('form', { class: 'edit' },
    field('URL', 'url', { required: true, value: found.url }),
    element('div', { class: 'buttons' }, element('button', {}, 'Explain')));
  let asked = 0;
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const mine = ++asked;
    let shown;
    try {
      shown = drawnPath(await get('/api/explain', { url: new FormData(form).get('url').trim() }));
    } catch (error) { shown = element('p', { class: 'message bad', role: 'alert' }, error.message); }
    if (mine !== asked) return; // another is asked for by now
    result.replaceChildren(shown);
    result.focus();
  });
  return element('div', {}, form, result);
}
