const MASKED = 'REDACTED';
/** What a name says whose value must not be kept. */
const TELLING = 'password|passwd|secret|token|signature|credential|api[_-]?key';
export const SECRET_NAME = new RegExp(`${TELLING}|authorization|cookie`, 'i');

/**
 * What must not reach the store. Of query strings no value at all: a list of telling names would miss one, and signed
 * URLs carry their right in them. `REDACTED` is what the semantic conventions write.
 */
const RULES: readonly [pattern: RegExp, replacement: string][] = [
  [/([?&][\w.~%[\]$-]{1,100}=)[^&\s"'<>#\\]+/g, `$1${MASKED}`],
  // The way in of one-time links is a segment of their path.
  [/(\/auth\/link\/)[^/\s"'?#]+/g, `$1${MASKED}`],
  [/(\b[a-z][a-z0-9+.-]{1,20}:\/\/)[^/\s"'@]+@/gi, `$1${MASKED}@`],
  [/\b(bearer|basic)(\s+)[\w.~+/=-]{8,}/gi, `$1$2${MASKED}`],
  [/\bcdl_[\w-]+/g, MASKED],
  [/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, MASKED],
  [
    new RegExp(
      String.raw`("?\b(?:[\w-]{0,40}(?:${TELLING})|authorization|cookie)"?\s*[:=]\s*)("(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s,;&"']+)`,
      'gi',
    ),
    `$1${MASKED}`,
  ],
  [/(\bpassword\s+)(E?'(?:[^']|'')*'?)/gi, `$1${MASKED}`],
];

/** A text without the values of its query strings, credentials in URLs and headers, tokens and passwords. */
export function mask(text: string): string {
  return RULES.reduce((masked, [pattern, replacement]) => masked.replace(pattern, replacement), text);
}

/** `a=1&b=2` without the values. */
export function maskQuery(query: string): string {
  return mask(`?${query}`).slice(1);
}

/** A comment, a quoted name, or a literal; in a plain one a backslash is itself, after E it escapes. */
const SQL_TOKEN =
  /(\/\*[\s\S]*?(?:\*\/|$)|--[^\n]*)|("(?:[^"]|"")*"?)|\$(\w*)\$[\s\S]*?(?:\$\3\$|$)|\bE'(?:[^'\\]|''|\\[\s\S])*'?|(?:\b[BXN])?'(?:[^']|'')*'?|(?<![\w$.])\d+(?:\.\d+)?(?![\w.])/gi;

/** SQL without literals and comments, as the conventions want `db.query.text`: what was left in it may be a person's. */
export function withoutLiterals(sql: string): string {
  return sql.replace(SQL_TOKEN, (_all, comment?: string, name?: string) => (comment ? '' : (name ?? '?')));
}
