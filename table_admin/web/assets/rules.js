// Rules by path: shown, compared, edited.

import { targetText } from './domains.js';
import { element, field } from './dom.js';

const MOST_IN_HISTORY = 5;

const rulesOf = (found) => new Map((found?.rules ?? []).map((rule) => [rule.pattern, rule]));
const originOf = (rule) => Object.entries(rule.origin).map(([key, part]) => `${key}=${part}`).join(' ');

// What is different, by pattern: before and after, null where there is none.
export function ruleChanges(before, after) {
  const [old, now] = [rulesOf(before), rulesOf(after)];
  return [...new Set([...old.keys(), ...now.keys()])].sort().flatMap((pattern) => {
    const pair = [old.get(pattern), now.get(pattern)];
    const differ = (of) => pair[0] && pair[1] && of(pair[0]) !== of(pair[1]);
    if (pair[0] && pair[1] && !differ((rule) => rule.target) && !differ(originOf)) return [];
    // A load balancer may have another name by now, under the same ARN.
    const said = (rule) => (rule ? `${rule.target}${differ((one) => one.target) || !differ(originOf) ? '' : ` (${originOf(rule)})`}` : null);
    return [[pattern, ...pair.map(said)]];
  });
}

export function ruleList(rules) {
  return element('ul', { class: 'plain', 'aria-label': 'Rules by path' }, ...rules.map((rule) => element('li', {},
    element('code', {}, rule.pattern), ' \u2192 ', targetText(rule.target))));
}

// What a revision did to the rules, in a few lines.
export function ruleNews(before, after) {
  const changes = ruleChanges(before, after);
  if (!changes.length) return null;
  const lines = changes.slice(0, MOST_IN_HISTORY).map(([pattern, old, now]) => element('li', {},
    now === null ? 'no more ' : old === null ? 'new ' : 'changed ', element('code', {}, pattern), ...(now === null ? [] : [' \u2192 ', targetText(now)])));
  if (changes.length > lines.length) lines.push(element('li', {}, `and ${changes.length - lines.length} more`));
  return element('ul', { class: 'plain' }, ...lines);
}

// Rows of two fields; `wanted` returns what the API is asked for: only what is another by now, null for what shall go.
export function rulesEditor(found, changed) {
  const before = rulesOf(found);
  const rows = element('div', { class: 'rules' });

  function add(pattern = '', target = '') {
    const row = element('div', { class: 'rule', role: 'group' });
    const remove = element('button', { type: 'button', onclick: () => { row.remove(); more.focus(); changed(); } }, 'Remove');
    const name = (text) => {
      row.setAttribute('aria-label', text ? `Rule ${text}` : 'New rule');
      remove.setAttribute('aria-label', text ? `Remove rule ${text}` : 'Remove new rule');
    };
    row.append(
      field('Pattern', 'pattern', { value: pattern, placeholder: '/api/*', oninput: (event) => name(event.target.value.trim()) }),
      field('Answered by', 'rule', { value: target, placeholder: 's3://bucket/prefix, strip:https://host, redirect:/path' }),
      remove);
    name(pattern);
    rows.append(row);
    return row;
  }

  const more = element('button', { type: 'button', onclick: () => { add().querySelector('input').focus(); changed(); } }, 'Add a rule');
  for (const rule of before.values()) add(rule.pattern, rule.target);

  function wanted() {
    const now = new Map();
    for (const row of rows.children) {
      const [pattern, target] = [...row.querySelectorAll('input')].map((input) => input.value.trim());
      if (now.has(pattern)) throw new Error(`${pattern || 'A rule without a pattern'} is there twice.`);
      if (pattern || target) now.set(pattern, target);
    }
    const set = [...now].filter(([pattern, target]) => before.get(pattern)?.target !== target);
    const gone = [...before.keys()].filter((pattern) => !now.has(pattern)).map((pattern) => [pattern, null]);
    return set.length || gone.length ? Object.fromEntries([...set, ...gone]) : undefined;
  }

  const shown = element('fieldset', {}, element('legend', {}, 'Rules by path'),
    element('p', { class: 'faint' }, 'A path, or a path with /* at its end; the longest wins. The target is for all others.'), rows,
    element('div', { class: 'buttons' }, more));
  return { shown, wanted };
}
