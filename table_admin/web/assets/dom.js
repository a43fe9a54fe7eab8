// Small builders: text is always text, never markup.

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, '');
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child != null && child !== false));
  return made;
}

export const byId = (id) => document.getElementById(id);

export function time(seconds) {
  return seconds == null ? 'never' : new Date(seconds * 1000).toISOString().slice(0, 16).replace('T', ' ') + 'Z';
}

export function expiry(seconds) {
  if (seconds == null) return element('span', { class: 'faint' }, 'never');
  const left = seconds - Date.now() / 1000;
  const kind = left <= 0 ? 'gone' : left < 86400 ? 'soon' : '';
  return element('span', { class: kind }, left <= 0 ? `expired ${time(seconds)}` : time(seconds));
}

export function field(label, name, attributes = {}) {
  return element('label', {}, label, element('input', { name, type: 'text', autocomplete: 'off', spellcheck: 'false', ...attributes }));
}
