import type { FormLanguage } from '#contract/forms.ts';
import { FORM_LANGUAGES } from '#contract/forms.ts';
import type { Field } from './fields.ts';
import { attributes, html, type Markup } from './html.ts';
import { WORDS } from './words.ts';

/** Names of controls that are no columns: no column name begins with a colon where a form is offered. */
export const TOKEN = ':token';
export const TRAP = ':website';
/** Before the name of a file column: a photo that arrived with an earlier try. */
export const KEPT = ':photo:';

export interface Assets {
  css: string;
  js: string;
}

export interface Shell {
  language: FormLanguage;
  title: string;
  assets: Assets;
  /** Path of this page, to which `?lang=` is added; null: no choice of languages. */
  path: string | null;
}

/** A whole document. */
export function document({ language, title, assets, path }: Shell, content: Markup): string {
  const others = FORM_LANGUAGES.map((other) =>
    other === language
      ? html`<li><span aria-current="true">${WORDS[other].languageName}</span></li>`
      : html`<li><a href="${path ?? ''}?lang=${other}" hreflang="${other}" lang="${other}">${WORDS[other].languageName}</a></li>`,
  );
  return html`<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${title} · Caudal</title>
<link rel="icon" href="/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="${assets.css}">
<script src="${assets.js}" defer></script>
</head>
<body>
<a class="skip" href="#main">${WORDS[language].skip}</a>
${path !== null && html`<nav class="languages" aria-label="${language === 'es' ? 'Idioma' : 'Language'}"><ul>${others}</ul></nav>`}
<main id="main" tabindex="-1">
${content}
</main>
<footer>Caudal</footer>
</body>
</html>
`.text;
}

export interface FormPage extends Shell {
  action: string;
  intro: string | undefined;
  submit: string;
  token: string;
  fields: readonly Field[];
  /** What was typed, by column. */
  values: Record<string, string>;
  /** Column → photos that arrived with an earlier try, as signed references. */
  kept: Record<string, string>;
  /** Column → what is wrong with it. */
  errors: Record<string, string>;
  /** What is wrong with the whole. */
  notice: string | undefined;
}

export function formPage(page: FormPage): string {
  const { language, title, fields, errors, notice } = page;
  const words = WORDS[language];
  const wrong = fields.filter((field) => errors[field.name] !== undefined);
  return document(
    { ...page, title: wrong.length > 0 || notice ? `${words.problems}: ${title}` : title },
    html`<h1>${title}</h1>
${page.intro && paragraphs(page.intro)}
${summary(wrong, errors, notice, words.problems)}
<form method="post" action="${page.action}" enctype="multipart/form-data" data-sending="${words.sending}" data-problems="${words.problems}">
<input type="hidden" name="${TOKEN}" value="${page.token}">
${fields.map((field) => fieldOf(field, page))}
<div class="trap" aria-hidden="true"><label for="trap">Website</label><input id="trap" name="${TRAP}" type="text" tabindex="-1" autocomplete="off"></div>
<button type="submit">${page.submit}</button>
</form>`,
  );
}

/** Blank lines part paragraphs. */
export function paragraphs(text: string): Markup[] {
  return text
    .split(/\n\s*\n/)
    .filter((part) => part.trim() !== '')
    .map((part) => html`<p class="intro">${part.trim()}</p>`);
}

/** Each line leads to its field; the script moves the focus here. */
function summary(wrong: readonly Field[], errors: Record<string, string>, notice: string | undefined, heading: string) {
  if (wrong.length === 0 && notice === undefined) return html`<div id="summary" hidden></div>`;
  return html`<div id="summary" class="summary" role="alert" tabindex="-1" autofocus>
<h2>${heading}</h2>
${notice && html`<p>${notice}</p>`}
<ul>${wrong.map((field) => html`<li><a href="#${field.id}">${field.label}: ${errors[field.name]}</a></li>`)}</ul>
</div>`;
}

function fieldOf(field: Field, page: FormPage): Markup {
  const error = page.errors[field.name];
  const value = page.values[field.name] ?? field.initial;
  const kept = page.kept[field.name];
  const hint = kept ? `${WORDS[page.language].photoKept} ${field.hint ?? ''}` : field.hint;
  const described = [hint && `${field.id}-hint`, error && `${field.id}-error`].filter(Boolean).join(' ');
  const shared = { required: field.required && !kept, 'aria-invalid': error ? 'true' : undefined };
  const control = CONTROLS[field.kind]({ field, value, page, shared, described });
  const label = html`${field.label}${!field.required && html` <span class="optional">(${WORDS[page.language].optional})</span>`}`;
  const notes = html`${hint && html`<p class="hint" id="${field.id}-hint">${hint}</p>`}
<p class="error" id="${field.id}-error"${attributes({ hidden: !error })}>${error}</p>`;
  const open = attributes({ class: error ? 'field wrong' : 'field', ...faultData(field) });
  if (field.kind === 'choice') {
    const grouped = attributes({ 'aria-describedby': described || undefined });
    return html`<fieldset${open}${grouped}><legend>${label}</legend>${notes}${control}</fieldset>
`;
  }
  const reference = kept && html`<input type="hidden" name="${KEPT}${field.name}" value="${kept}">`;
  return html`<div${open}><label for="${field.id}">${label}</label>${notes}${reference}${control}</div>
`;
}

/** What the script says for itself, in the server's words. */
function faultData({ faults }: Field): Record<string, string | undefined> {
  return {
    'data-required': faults.required,
    'data-wrong-type': faults.wrong_type,
    'data-pattern': faults.pattern,
    'data-min': faults.min,
    'data-max': faults.max,
    'data-too-large': faults.image_too_large,
    'data-unsupported': faults.unsupported_image,
  };
}

interface Drawing {
  field: Field;
  value: string;
  page: FormPage;
  shared: Record<string, string | boolean | undefined>;
  described: string;
}

const CONTROLS: Record<Field['kind'], (drawing: Drawing) => Markup> = {
  line: ({ field, value, shared, described }) =>
    html`<input${attributes({ id: field.id, name: field.name, value, ...field.attributes, ...shared, 'aria-describedby': described || undefined })}>`,
  text: ({ field, value, shared, described }) =>
    html`<textarea${attributes({ id: field.id, name: field.name, ...field.attributes, ...shared, 'aria-describedby': described || undefined })}>
${value}</textarea>`,
  list: ({ field, value, page, shared, described }) =>
    html`<select${attributes({ id: field.id, name: field.name, ...shared, 'aria-describedby': described || undefined })}>
<option value="">${WORDS[page.language].choose}</option>
${field.options.map((option) => html`<option${attributes({ value: option.value, selected: option.value === value })}>${option.label}</option>`)}
</select>`,
  choice: ({ field, value, shared }) =>
    html`<div class="choices">${field.options.map((option, index) => {
      const id = index === 0 ? field.id : `${field.id}-${index + 1}`;
      const given = { type: 'radio', id, name: field.name, value: option.value, checked: option.value === value };
      const { required } = shared;
      return html`<label><input${attributes({ ...given, required })}><span>${option.label}</span></label>`;
    })}</div>`,
  photo: ({ field, page, shared, described }) =>
    html`<input${attributes({ id: field.id, name: field.name, ...field.attributes, ...shared, 'data-take': WORDS[page.language].takePhoto, 'aria-describedby': described || undefined })}>`,
};

export interface ReceiptPage extends Shell {
  id: string;
  received: Date;
  thanks: string | undefined;
  again: string;
}

export function receiptPage(page: ReceiptPage): string {
  const words = WORDS[page.language];
  const when = new Intl.DateTimeFormat(page.language, { dateStyle: 'long', timeStyle: 'medium', timeZone: 'UTC' });
  return document(
    page,
    html`<div class="receipt" role="status">
<h1>${words.receipt}</h1>
${page.thanks && paragraphs(page.thanks)}
<dl><dt>${words.receiptNumber}</dt><dd class="number" id="receipt">${page.id}</dd>
<dt>${words.received}</dt><dd><time datetime="${page.received.toISOString()}">${when.format(page.received)} UTC</time></dd></dl>
<p class="hint">${words.keepNumber}</p>
</div>
<p><a class="button" href="${page.again}">${words.again}</a></p>`,
  );
}

export interface MessagePage extends Shell {
  text: string;
  /** For the owner: leads to what happened. */
  trace: string | null;
}

export function messagePage(page: MessagePage): string {
  return document(
    page,
    html`<h1>${page.title}</h1>
<p class="intro">${page.text}</p>
${page.trace && html`<p class="number">${page.trace}</p>`}`,
  );
}
