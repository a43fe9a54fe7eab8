// Who gets an answer and what goes with it: shown, compared, and how it is changed, which is by the command.

import { element } from './dom.js';

const FIELDS = ['private', 'allow', 'noindex', 'maintenance'];
const header = (value) => (value === undefined ? '(none)' : value || '(taken away)');
const page = ({ retry_after: wait, message }) => `503, Retry-After ${wait}${message ? `: ${message}` : ''}`;

const WORDS = {
  private: (found) => (found.private ? 'yes: by a signed link, or the password' : 'no'),
  allow: (found) => (found.allow.length ? `${found.allow.join(', ')}; others get 403` : 'everybody'),
  noindex: (found) => (found.noindex ?? found.expires_at != null ? 'yes' : 'no') + (found.noindex == null && found.expires_at != null ? ', since it expires' : ''),
  maintenance: (found) => (found.maintenance ? page(found.maintenance) : 'no'),
};

// A word for each thing that is said, as the list and a title have room for.
export function badges(words) {
  return words.map((word) => element('span', { class: `badge ${word.split(' ')[0]}` }, word));
}

export function badgesOf(found, more = []) {
  const said = [found.private && 'private', found.allow.length && 'allow', found.maintenance && 'maintenance',
    found.noindex != null && (found.noindex ? 'noindex' : 'index'), Object.keys(found.headers).length && 'headers', ...more];
  return badges(said.filter(Boolean));
}

export function policyFacts(found) {
  const headers = Object.entries(found.headers);
  const list = () => element('ul', { class: 'plain', 'aria-label': 'Response headers' },
    ...headers.map(([name, value]) => element('li', {}, element('code', {}, name), ': ', header(value))));
  const shown = FIELDS.filter((name) => name !== 'noindex' || found.noindex != null || found.expires_at != null);
  return [...shown.map((name) => [name, WORDS[name](found)]), ...(headers.length ? [['headers', list()]] : [])]
    .flatMap(([name, words]) => [element('dt', {}, name), element('dd', {}, words)]);
}

// What is different, as rows of a table: before and after. What it takes to be let in changes with nothing else.
export function policyChanges(before, after) {
  const said = (name, found) => (found ? WORDS[name](found) : '(none)');
  const other = (name) => JSON.stringify(before?.[name] ?? null) !== JSON.stringify(after?.[name] ?? null);
  const plain = (name, found) => found && (name === 'allow' ? found.allow.length > 0 : found[name] != null && found[name] !== false);
  const fields = FIELDS.filter((name) => other(name) && (before && after ? true : plain(name, before ?? after)))
    .map((name) => [name, said(name, before), said(name, after)]);
  const [old, now] = [before?.headers ?? {}, after?.headers ?? {}];
  const headers = [...new Set([...Object.keys(old), ...Object.keys(now)])].sort()
    .filter((name) => old[name] !== now[name]).map((name) => [`header ${name}`, header(old[name]), header(now[name])]);
  return [...fields, ...headers];
}

// As a shell takes it: a wildcard's asterisk and a target's signs are its own.
const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

function command(what, text) {
  const copied = element('span', { class: 'faint', role: 'status' });
  const copy = element('button', { type: 'button', 'aria-label': `Copy the command: ${what}`, onclick: async () => {
    try { await navigator.clipboard.writeText(text); copied.textContent = 'copied'; } catch { copied.textContent = 'select it to copy it'; }
  } }, 'Copy');
  return element('li', {}, what, element('div', { class: 'command' }, element('code', {}, text), copy, copied));
}

// No key and no password comes into a browser: these are for who has the right to run them.
export function policyCommands(found) {
  const [domain, put] = [quoted(found.domain), `table-admin put ${quoted(found.domain)} ${quoted(found.target)}`];
  const keep = found.origin.kind === 'custom' && found.target.startsWith('https://') && found.origin.host_header === 'viewer' ? ' --keep-host' : '';
  return element('details', {}, element('summary', {}, 'Change who gets an answer, and what goes with it'),
    element('ul', { class: 'commands' },
      ...(found.private ? [
        command('A link that lets somebody in', `table-admin access link ${domain}`),
        command('Let everybody in', `${put}${keep} --public`),
      ] : [command('Let only those in who have a link or the password', `${put}${keep} --private`)]),
      found.maintenance ? command('End the maintenance', `table-admin maintenance off ${domain}`)
        : command('Show a page that says so while it is mended', `table-admin maintenance on ${domain} --retry-after 10m`),
      command('Let in only some networks', `${put}${keep} --allow 203.0.113.0/24`),
      command('Set a header of the response', `${put}${keep} --header 'x-frame-options: DENY'`)));
}
