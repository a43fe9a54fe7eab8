// A canary and a standby: shown, compared, and moved. Each move shows first what it changes.

import { targetText } from './domains.js';
import { element, field } from './dom.js';

const bare = (target) => (target.startsWith('keep-host:') ? target.slice('keep-host:'.length) : target);
const WORDS = {
  canary: ({ canary }) => (canary ? `${canary.weight} % get ${canary.target}${canary.cookie ? `, by cookie ${canary.cookie}` : ''}` : 'no'),
  standby: ({ standby }) => standby ?? 'none',
  failed_over: (found) => (found.failed_over ? 'yes' : 'no'),
};

// As the command's listing has them.
export function secondBadges(found) {
  return [found.canary && `canary ${found.canary.weight} %`, found.failed_over && 'failed over'].filter(Boolean);
}

function both(found) {
  const { target, weight, cookie } = found.canary;
  return [
    element('ul', { class: 'plain', 'aria-label': 'Sides of the canary' },
      element('li', {}, `canary, ${weight} %: `, targetText(bare(target))),
      element('li', {}, `stable, ${100 - weight} %: `, targetText(found.target))),
    element('div', { class: 'faint' }, cookie ? `by cookie ${cookie}, else by address and user agent` : 'by address and user agent')];
}

export function secondFacts(found) {
  const facts = [];
  if (found.canary) facts.push(element('dt', {}, 'canary'), element('dd', {}, ...both(found)));
  if (found.standby) {
    facts.push(element('dt', {}, found.failed_over ? 'failed over' : 'standby'), element('dd', {},
      ...(found.failed_over ? ['the standby stands in for ', targetText(bare(found.standby))] : [targetText(bare(found.standby)), ', which viewers do not get'])));
  }
  return facts;
}

// What is different, as rows of a table: before and after.
export function secondChanges(before, after) {
  const said = (name, found) => (found ? WORDS[name](found) : '(none)');
  const none = { canary: null, standby: null, failed_over: false };
  return Object.keys(WORDS).filter((name) => WORDS[name](before ?? none) !== WORDS[name](after ?? none))
    .map((name) => [name.replace('_', ' '), said(name, before), said(name, after)]);
}

// `ask` shows what a POST to one of the route's resources changes, and makes it.
export function secondButtons(found, { ask }) {
  const button = (text, options) => element('button', { type: 'button', onclick: () => ask(options) }, text);
  const { domain, canary } = found;
  const buttons = [];
  if (canary) {
    buttons.push(
      button('Change the weight', {
        title: `Give the canary of ${domain} another share; those who have it keep it where that becomes larger.`,
        action: 'Change the weight',
        at: 'canary/weight',
        fields: [field('Weight in per cent', 'weight', { required: true, value: canary.weight, inputmode: 'numeric', pattern: '[0-9]{1,3}' })],
        body: ({ weight }) => ({ weight: Number(weight) }),
      }),
      button('Promote the canary', { title: `Give all viewers of ${domain} what the canary\u2019s get?`, action: 'Promote', at: 'canary/promote' }),
      button('Abort the canary', { title: `Give all viewers of ${domain} its own target again?`, action: 'Abort the canary', at: 'canary/abort' }));
  }
  if (found.standby) {
    buttons.push(found.failed_over
      ? button('Fail back', { title: `Move ${domain} back from its standby?`, action: 'Fail back', at: 'fail-back' })
      : button('Fail over', { title: `Move ${domain} to its standby?${canary ? ' The canary ends.' : ''}`, action: 'Fail over', at: 'fail-over' }));
  }
  return buttons;
}
