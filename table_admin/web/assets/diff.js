// What a write changes, as a table: what is now, and what is after.

import { element, time } from './dom.js';
import { policyChanges } from './policy.js';
import { ruleChanges } from './rules.js';
import { secondChanges } from './second.js';

export const SHOWN = ['target', 'environment', 'service', 'owner', 'lifetime', 'expires_at', 'managed', 'source', 'note'];

export function value(name, found) {
  const of = found ? found[name] : undefined;
  if (of == null || of === '') return name === 'expires_at' && found ? 'never' : '(none)';
  if (name === 'expires_at') return time(of);
  return typeof of === 'object' ? Object.entries(of).map(([key, part]) => `${key}=${part}`).join(' ') : String(of);
}

function table(head, rows) {
  return element('table', { class: 'diff' },
    element('thead', {}, element('tr', {}, ...[head, 'Now', 'After'].map((text) => element('th', { scope: 'col' }, text)))),
    element('tbody', {}, ...rows.map(([name, before, after]) => element('tr', {},
      element('th', { scope: 'row' }, name),
      element('td', {}, element('del', {}, before)),
      element('td', {}, element('ins', {}, after))))));
}

// Of one route, by attribute. A note is its revision's own: that the next has none is no change.
export function diffTable({ before, after }) {
  const names = [...SHOWN, 'origin', 'generation'].filter((name) => value(name, before) !== value(name, after)
    && (name !== 'note' || after?.note));
  const rules = ruleChanges(before, after).map(([pattern, old, now]) => [`rule ${pattern}`, old ?? '(none)', now ?? '(none)']);
  const policy = [...policyChanges(before, after), ...secondChanges(before, after)];
  if (!names.length && !rules.length && !policy.length) return element('p', { class: 'message' }, 'Nothing changes.');
  return table('Attribute', [...names.map((name) => [name, value(name, before), value(name, after)]), ...rules, ...policy]);
}

// Of several routes, by domain: each as `now` and `then` say it.
export function changesTable(changes, now, then) {
  return table('Domain', changes.map(({ domain, before, after }) => [domain, now(before), then(after)]));
}
