import type { DeclaredColumn } from '#contract/datasets.ts';
import type { DatasetForm, FormLanguage } from '#contract/forms.ts';
import { acceptedImages, PHOTO_BYTES } from '#contract/images.ts';
import { wordsIn } from './language.ts';
import { FAULTS, type Fault, imageNames, sizeOf, WORDS } from './words.ts';

export type FieldKind = 'line' | 'text' | 'choice' | 'list' | 'photo';

/** One column as a field: pure, so that what a column becomes can be read off a table of tests. */
export interface Field {
  /** The column's name, and the control's. */
  name: string;
  /** For the page: names may hold blanks and quotes. */
  id: string;
  kind: FieldKind;
  label: string;
  hint: string | undefined;
  required: boolean;
  /** What stands there before anything was typed. */
  initial: string;
  options: { value: string; label: string }[];
  /** Attributes of the control beside its name, id and value. */
  attributes: Record<string, string | number | boolean | undefined>;
  /** What the script says when a rule is broken; the server says the same. */
  faults: Partial<Record<Fault, string>>;
}

/** A short list of options is shown whole. */
const FEW = 5;

interface Shape {
  kind: FieldKind;
  attributes?: Field['attributes'];
  hints?: (string | undefined)[];
}

export function fieldsOf(
  columns: readonly DeclaredColumn[],
  form: Pick<DatasetForm, 'labels'>,
  language: FormLanguage,
  maxBytes: number,
): Field[] {
  return columns.map((column, index) => {
    const most = Math.min(column.max_bytes ?? PHOTO_BYTES, maxBytes);
    const shape = shapeOf(column, language, most);
    const hints = [column.description, ...(shape.hints ?? [])].filter(Boolean);
    return {
      name: column.name,
      id: `field-${index + 1}`,
      kind: shape.kind,
      label: wordsIn(form.labels?.[column.name], language) ?? labelOf(column.name),
      hint: hints.length > 0 ? hints.join(' ') : undefined,
      required: column.required === true && column.default === undefined,
      initial: column.default === undefined ? '' : String(column.default),
      options: optionsOf(column, language),
      attributes: shape.attributes ?? {},
      faults: faultsOf(column, language, most),
    };
  });
}

/** `national_id` → `National id`. */
export function labelOf(name: string): string {
  const words = name.replaceAll(/[_-]+/g, ' ').trim();
  return words.charAt(0).toUpperCase() + words.slice(1) || name;
}

function shapeOf(column: DeclaredColumn, language: FormLanguage, most: number): Shape {
  if (column.type === 'boolean') return { kind: 'choice' };
  if (column.enum) return { kind: column.enum.length > FEW ? 'list' : 'choice' };
  if (column.type === 'file') return photo(column, language, most);
  const kind = column.type.startsWith('decimal') ? 'decimal' : column.type;
  const { example, utc } = WORDS[language];
  const between = { min: edge(column.min), max: edge(column.max) };
  const shapes: Record<string, () => Shape> = {
    // A step finer than a second would be shown by every browser.
    integer: () => ({ kind: 'line', attributes: { type: 'number', step: 1, inputmode: 'numeric', ...between } }),
    number: () => ({ kind: 'line', attributes: { type: 'number', step: 'any', inputmode: 'decimal', ...between } }),
    decimal: () => ({
      kind: 'line',
      attributes: { type: 'number', step: stepOf(column.type), inputmode: 'decimal', ...between },
    }),
    date: () => ({ kind: 'line', attributes: { type: 'date', ...between } }),
    time: () => ({ kind: 'line', attributes: { type: 'time', ...between } }),
    timestamp: () => ({ kind: 'line', attributes: { type: 'datetime-local' }, hints: [utc] }),
    uuid: () => ({ kind: 'line', attributes: { type: 'text', spellcheck: 'false' }, hints: [example['uuid']] }),
    json: () => ({ kind: 'text', attributes: { rows: 4, spellcheck: 'false' } }),
    text: () => textShape(column),
  };
  return (shapes[kind] ?? shapes['text'])?.() ?? { kind: 'line' };
}

const edge = (value: string | number | boolean | undefined): string | undefined =>
  value === undefined ? undefined : String(value);

/** decimal(10,2) → 0.01 */
function stepOf(type: string): string {
  const scale = Number(/,(\d+)\)/.exec(type)?.[1] ?? 0);
  return scale === 0 ? '1' : `0.${'0'.repeat(scale - 1)}1`;
}

/** By `format`, as JSON Schema and HTML call such texts; what helps a phone show the right keys. */
const TEXT_FORMATS: Record<string, Field['attributes']> = {
  email: { type: 'email', autocomplete: 'email', spellcheck: 'false' },
  phone: { type: 'tel', autocomplete: 'tel' },
  tel: { type: 'tel', autocomplete: 'tel' },
  url: { type: 'url', inputmode: 'url' },
  uri: { type: 'url', inputmode: 'url' },
  digits: { type: 'text', inputmode: 'numeric' },
};
const LONG_FORMATS = new Set(['multiline', 'textarea', 'long']);

function textShape({ format = '', pattern }: DeclaredColumn): Shape {
  if (LONG_FORMATS.has(format)) return { kind: 'text', attributes: { rows: 5 } };
  const given = TEXT_FORMATS[format] ?? { type: 'text', ...(onlyDigits(pattern) ? { inputmode: 'numeric' } : {}) };
  return { kind: 'line', attributes: { ...given, pattern: browserPattern(pattern) } };
}

const onlyDigits = (pattern: string | undefined): boolean =>
  /^\^?(\[0-9\]|\\d)(\{[\d,]+\}|[+*])?\$?$/.test(pattern ?? '');

/** Patterns are RE2; the browser is only told those that mean the same there. The server checks them all. */
function browserPattern(pattern: string | undefined): string | undefined {
  if (pattern === undefined || /\(\?[^:]|\\[AzQEpPC]|\[\[:/.test(pattern)) return undefined;
  try {
    new RegExp(`^(?:${pattern})$`, 'v');
    return pattern;
  } catch {
    return undefined;
  }
}

/**
 * The types are named one by one: an iPhone then turns HEIC into JPEG, which it does not for `image/*`. Without
 * `capture` a phone offers camera and gallery; with it only the camera.
 */
function photo(column: DeclaredColumn, language: FormLanguage, most: number): Shape {
  const capture = { camera: 'environment', selfie: 'user' }[column.format ?? ''];
  const accept = acceptedImages(column.accept).join(',');
  return {
    kind: 'photo',
    attributes: { type: 'file', accept, capture, 'data-max-bytes': most },
    hints: [WORDS[language].photoHint(imageNames(column, language), sizeOf(most))],
  };
}

function optionsOf(column: DeclaredColumn, language: FormLanguage): Field['options'] {
  const { yes, no } = WORDS[language];
  const yesNo = (value: string): string => (value === 'true' ? yes : no);
  if (column.type === 'boolean') {
    const allowed = (column.enum ?? [true, false]).map(String);
    return ['true', 'false']
      .filter((value) => allowed.includes(value))
      .map((value) => ({ value, label: yesNo(value) }));
  }
  return (column.enum ?? []).map((value) => ({ value: String(value), label: String(value) }));
}

/** Those that a value of the column can have. */
function faultsOf(column: DeclaredColumn, language: FormLanguage, most: number): Field['faults'] {
  const { faults } = WORDS[language];
  const ofPhotos: readonly Fault[] = ['unsupported_image', 'image_too_large', 'image_damaged'];
  const possible = FAULTS.filter((code) => {
    if (code === 'min' || code === 'max') return column[code] !== undefined;
    return ofPhotos.includes(code) ? column.type === 'file' : true;
  });
  return Object.fromEntries(possible.map((code) => [code, faults[code](column, most)]));
}
