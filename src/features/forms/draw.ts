import type { FormLanguage } from '#contract/forms.ts';
import { type CaudalError, fail } from '#kernel/errors.ts';
import type { FormDeps, FormLimits } from './deps.ts';
import { type Field, fieldsOf, labelOf } from './fields.ts';
import type { Form } from './find-form.ts';
import { wordsIn } from './language.ts';
import { type Assets, formPage, messagePage, receiptPage } from './page.ts';
import type { OpenedForm } from './post-form.ts';
import { unseal } from './seal.ts';
import { isFault, WORDS } from './words.ts';

/** How a page is drawn for this reader. */
export interface Drawn {
  assets: Assets;
  language: FormLanguage;
  /** `?lang=`, which is carried on from page to page. */
  asked: string | undefined;
}

function pathOf(form: Form): string {
  return `/forms/${encodeURIComponent(form.slug)}`;
}

function titleOf(form: Form, language: FormLanguage): string {
  return wordsIn(form.settings.title, language) ?? labelOf(form.name);
}

function inLanguage(path: string, { asked, language }: Drawn): string {
  return asked === undefined ? path : `${path}?lang=${language}`;
}

export function drawForm(drawn: Drawn, form: Form, limits: FormLimits, opened: OpenedForm): string {
  const { language, assets } = drawn;
  const { settings, columns } = form;
  const fields = fieldsOf(columns, settings, language, limits.photo_bytes);
  const { beside, others } = placeErrors(fields, opened);
  const notices = [noticeOf(opened.code, language), ...others].filter((text) => text !== undefined);
  return formPage({
    assets,
    language,
    title: titleOf(form, language),
    path: pathOf(form),
    action: inLanguage(pathOf(form), drawn),
    intro: wordsIn(settings.intro, language),
    submit: wordsIn(settings.submit, language) ?? WORDS[language].submit,
    token: opened.token,
    fields,
    values: opened.values,
    kept: opened.kept,
    errors: beside,
    notice: notices.length > 0 ? notices.join(' ') : undefined,
  });
}

/** In the reader's words where the code has some; what belongs to no field stands above them. */
function placeErrors(fields: readonly Field[], { errors }: OpenedForm) {
  const beside: Record<string, string> = Object.create(null);
  const others: string[] = [];
  for (const { field: name, code, message } of errors) {
    const field = fields.find((one) => one.name === name);
    if (!field) others.push(message);
    else beside[field.name] ??= (isFault(code) ? field.faults[code] : undefined) ?? message;
  }
  return { beside, others };
}

function noticeOf(code: string | null, language: FormLanguage): string | undefined {
  const words = WORDS[language];
  const notices: Record<string, string> = {
    form_expired: words.expired,
    form_trap: words.leaveEmpty,
    idempotency_key_reused: words.sentBefore,
    image_busy: words.pages.busy[1],
  };
  return code === null ? undefined : notices[code];
}

/** @throws not_found for a receipt that we did not write */
export function drawReceipt(
  drawn: Drawn,
  form: Form,
  { key, clock }: Pick<FormDeps, 'key' | 'clock'>,
  sealed: string,
): string {
  const { language, assets } = drawn;
  const opened = unseal(key, 'receipt', sealed, clock.now().getTime());
  const { d, i } = opened?.value ?? {};
  if (!opened || d !== form.dataset_id || i === undefined) throw fail('not_found', 'There is no such receipt.');
  return receiptPage({
    assets,
    language,
    title: WORDS[language].receipt,
    path: null,
    id: i,
    received: new Date(opened.at),
    thanks: wordsIn(form.settings.thanks, language),
    again: inLanguage(pathOf(form), drawn),
  });
}

type PageName = keyof (typeof WORDS)['en']['pages'];

const PAGES: Record<number, PageName> = {
  403: 'forbidden',
  404: 'not_found',
  410: 'not_found',
  429: 'rate_limited',
  503: 'busy',
};

/** A page for a person about what a program is told as a problem. */
export function drawMessage({ assets, language }: Drawn, error: CaudalError, trace: string | null): string {
  const page = PAGES[error.status] ?? 'broken';
  const words = WORDS[language];
  const [title, text] = words.pages[page];
  const wait = page === 'rate_limited' ? words.tooMany(Math.ceil((error.retry_after ?? 60) / 60)) : text;
  return messagePage({ assets, language, title, path: null, text: wait, trace: page === 'broken' ? trace : null });
}
