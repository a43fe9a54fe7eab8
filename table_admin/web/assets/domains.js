// Domains and targets as people read them.

import { element } from './dom.js';

export const isWildcard = (domain) => domain.startsWith('*.');

// Of a wildcard the URL of one of its names: no browser can ask for the asterisk.
export const urlOf = (domain, edge) => edge.replace('{domain}', isWildcard(domain) ? `any${domain.slice(1)}` : domain);

export function siteLink(domain, edge, text) {
  if (!isWildcard(domain)) return element('a', { href: urlOf(domain, edge), target: '_blank', rel: 'noopener' }, text);
  return element('span', {}, text === domain ? domain : `A wildcard: it answers for all names under ${domain.slice(2)} that have no row of their own.`);
}

export function targetText(target) {
  const redirect = /^redirect:(?:(\d+):)?(.*)$/.exec(target);
  if (!redirect) return element('code', {}, target);
  return element('span', {}, `redirect${redirect[1] ? ` ${redirect[1]}` : ''} to `, element('code', {}, redirect[2]));
}

export const countedRules = (count) => (count ? `+${count} ${count === 1 ? 'rule' : 'rules'}` : '');
