// The drawn path: how a URL is answered, from the same explain as the command's.

import { element } from './dom.js';

function step(title, text, kind = '') {
  return element('li', { class: kind }, element('b', {}, title), element('code', {}, text));
}

export function drawnPath(found) {
  const steps = [step('Browser asks', found.url), step('Routing table', found.reason, found.row ? '' : 'bad')];
  const viewer = found.viewer_request;
  if (viewer.status) {
    steps.push(step('viewer-request answers', `${viewer.status}`, 'bad'));
  } else {
    steps.push(step('viewer-request stamps the route', `x-route: ${viewer.stamp}`));
    steps.push(step('CloudFront', 'answers from its cache under this stamp, or goes on'));
    const origin = found.origin_request;
    if (origin.status) {
      steps.push(step('origin-request answers', `${origin.status}${origin.location ? `, to ${origin.location}` : ''}`, 'end'));
    } else {
      steps.push(step('origin-request sets the origin', `${origin.origin}${origin.uri}`));
      if (origin.file) {
        steps.push(step('The file is', `${origin.file}, sent with status ${origin.sent_with}`));
      }
      steps.push(step('Origin', `is asked as Host ${origin.host}`, 'end'));
    }
  }
  return element('ol', { class: 'path', 'aria-label': 'How this URL is answered' }, ...steps);
}
