// A write in two steps: what it changes is shown, then it is made, over what was shown.

import { byId, element, field } from './dom.js';

// `fields` are asked for before anything is shown; a note can be given to any write.
// `preview` returns what is shown of a dry run, or throws; `write` makes it; `reload` shows what is there now.
export function review({ title, action, fields = [], preview, write, reload }) {
  const dialog = byId('review');
  const result = element('div', { class: 'result', tabindex: '-1', 'aria-live': 'polite' });
  const confirm = element('button', { type: 'button', class: 'danger', hidden: true }, action);
  const form = element('form', { class: 'edit' },
    ...fields,
    field('Note', 'note', { placeholder: 'Why' }),
    fields.length > 0 && element('div', { class: 'buttons' }, element('button', { class: 'primary' }, 'Review changes')));
  const values = () => Object.fromEntries([...new FormData(form)].map(([name, text]) => [name, text.trim()]));
  let asked = 0;

  function failed(error) {
    confirm.hidden = true;
    result.replaceChildren(
      element('p', { class: 'message bad', role: 'alert' }, error.message),
      error.status === 412 ? element('button', { type: 'button', onclick: () => { dialog.close(); reload(); } }, 'Show it as it is now') : '');
  }

  async function show() {
    const mine = ++asked;
    confirm.hidden = true;
    try {
      const { shown, changes } = await preview(values());
      if (mine !== asked) return; // what was asked for is another by now
      result.replaceChildren(...shown);
      confirm.hidden = !changes;
      result.focus();
    } catch (error) { if (mine === asked) failed(error); }
  }

  form.addEventListener('submit', (event) => { event.preventDefault(); if (fields.length) show(); });
  form.addEventListener('input', (event) => {
    if (event.target.name === 'note') return;
    asked += 1;
    confirm.hidden = true;
    result.replaceChildren();
  });
  confirm.addEventListener('click', async () => {
    confirm.disabled = true;
    try {
      await write(values());
      dialog.close();
      await reload();
    } catch (error) { failed(error); } finally { confirm.disabled = false; }
  });
  dialog.replaceChildren(
    element('h2', { id: 'review-title' }, title), form, result,
    element('div', { class: 'buttons' }, element('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel'), confirm));
  dialog.showModal();
  if (!fields.length) show();
}
