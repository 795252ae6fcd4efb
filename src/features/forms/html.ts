/** Text that is HTML already. Only `html` makes it, so that nothing else gets into a page unescaped. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Content = string | number | Markup | null | undefined | false | readonly Content[];

const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** For text between tags and for attribute values in quotes. What is not well-formed Unicode becomes U+FFFD. */
export function escapeHtml(text: string): string {
  return text.toWellFormed().replace(/[&<>"']/g, (character) => ESCAPES[character] as string);
}

/** A template in which every value is escaped; null, undefined and false are nothing, lists are put together. */
export function html(strings: TemplateStringsArray, ...values: Content[]): Markup {
  return new Markup(strings.map((text, index) => (index === 0 ? text : written(values[index - 1]) + text)).join(''));
}

function written(value: Content): string {
  if (value === null || value === undefined || value === false) return '';
  if (value instanceof Markup) return value.text;
  if (typeof value === 'object') return value.map(written).join('');
  return escapeHtml(String(value));
}

/** ` name="value"` for each attribute that has a value; `true` is an attribute without one. Names are ours. */
export function attributes(given: Record<string, string | number | boolean | null | undefined>): Markup {
  const parts = Object.entries(given).flatMap(([name, value]) => {
    if (value === null || value === undefined || value === false) return [];
    return value === true ? [` ${name}`] : [` ${name}="${escapeHtml(String(value))}"`];
  });
  return new Markup(parts.join(''));
}
