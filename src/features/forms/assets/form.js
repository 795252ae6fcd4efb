// What the page does better with a script: says what is missing before anything is sent, in the page's own words,
// shows the photo that was chosen, offers the camera, and sends once. Without it the server does the same.
(() => {
  const form = document.querySelector('form');
  const summary = document.getElementById('summary');
  if (!form) return;
  if (summary && !summary.hidden) summary.focus();
  form.noValidate = true;

  const controls = () => [...form.querySelectorAll('.field input:not([type=hidden]), .field select, .field textarea')];
  const fieldOf = (control) => control.closest('.field');

  /** The code of the first rule that a control breaks, or undefined. */
  const broken = (control) => {
    const { validity, files } = control;
    if (validity.valueMissing) return 'required';
    if (validity.badInput || validity.typeMismatch || validity.stepMismatch) return 'wrongType';
    if (validity.patternMismatch) return 'pattern';
    if (validity.rangeUnderflow) return 'min';
    if (validity.rangeOverflow) return 'max';
    const file = files?.[0];
    if (file && file.size > Number(control.dataset.maxBytes)) return 'tooLarge';
    if (file?.type && !control.accept.split(',').includes(file.type)) return 'unsupported';
    return undefined;
  };

  const mark = (control, message) => {
    const field = fieldOf(control);
    const error = field.querySelector('.error');
    error.textContent = message || '';
    error.hidden = !message;
    field.classList.toggle('wrong', Boolean(message));
    for (const each of field.querySelectorAll('input:not([type=hidden]), select, textarea')) {
      if (message && each.type !== 'radio') each.setAttribute('aria-invalid', 'true');
      else each.removeAttribute('aria-invalid');
    }
    const target = field.tagName === 'FIELDSET' ? field : control;
    const described = new Set((target.getAttribute('aria-describedby') || '').split(' ').filter(Boolean));
    described[message ? 'add' : 'delete'](error.id);
    if (described.size > 0) target.setAttribute('aria-describedby', [...described].join(' '));
    else target.removeAttribute('aria-describedby');
  };

  const labelOf = (field) => {
    const label = field.querySelector('legend, label').cloneNode(true);
    for (const extra of label.querySelectorAll('.optional')) extra.remove();
    return label.textContent.trim();
  };

  /** Marks what is wrong. Returns a line for the summary per field. */
  const check = () => {
    const faults = new Map();
    for (const control of controls()) {
      const field = fieldOf(control);
      if (faults.get(field)) continue;
      const code = broken(control);
      const first = control.type === 'radio' ? field.querySelector('input[type=radio]') : control;
      faults.set(field, code ? { control: first, message: field.dataset[code] } : undefined);
      mark(first, code && field.dataset[code]);
    }
    return [...faults.values()].filter(Boolean);
  };

  const show = (faults) => {
    const heading = document.createElement('h2');
    heading.textContent = form.dataset.problems;
    const list = document.createElement('ul');
    for (const { control, message } of faults) {
      const link = document.createElement('a');
      link.href = `#${control.id}`;
      link.textContent = `${labelOf(fieldOf(control))}: ${message}`;
      list.append(document.createElement('li'));
      list.lastChild.append(link);
    }
    summary.replaceChildren(heading, list);
    summary.className = 'summary';
    summary.setAttribute('role', 'alert');
    summary.tabIndex = -1;
    summary.hidden = false;
    summary.focus();
  };

  const button = form.querySelector('button[type=submit]');
  const words = button.textContent;
  form.addEventListener('submit', (event) => {
    const faults = check();
    if (faults.length > 0) {
      event.preventDefault();
      show(faults);
      return;
    }
    button.disabled = true;
    button.textContent = form.dataset.sending;
  });
  // Back from the receipt, the page may come as it was left.
  addEventListener('pageshow', () => {
    button.disabled = false;
    button.textContent = words;
  });

  // While it is put right, not when the focus leaves: the page must not move under a click that is under way.
  form.addEventListener('input', ({ target }) => {
    if (fieldOf(target)?.classList.contains('wrong') && !broken(target)) mark(target, '');
  });
  form.addEventListener('change', ({ target }) => {
    if (target.type === 'file') preview(target);
  });

  const preview = (control) => {
    const field = fieldOf(control);
    const old = field.querySelector('.preview');
    if (old) {
      URL.revokeObjectURL(old.src);
      old.remove();
    }
    const file = control.files[0];
    const code = broken(control);
    mark(control, code && file ? field.dataset[code] : '');
    if (!file || code) return;
    const image = new Image();
    image.className = 'preview';
    image.alt = '';
    image.src = URL.createObjectURL(file);
    field.append(image);
  };

  // The picker of a phone offers the gallery too; this leads straight to the camera.
  if (matchMedia('(pointer: coarse)').matches) {
    for (const control of form.querySelectorAll('input[type=file]:not([capture])')) {
      const camera = document.createElement('button');
      camera.type = 'button';
      camera.className = 'plain';
      camera.textContent = control.dataset.take;
      camera.addEventListener('click', () => {
        control.setAttribute('capture', 'environment');
        control.click();
        control.removeAttribute('capture');
      });
      control.after(camera);
    }
  }
})();
