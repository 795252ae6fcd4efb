import { quoteLiteral } from '#contract/columns.ts';

/**
 * Texts that a person would call the same fall into one group: compatibility forms are taken apart (NFKD), marks
 * are stripped, case is folded, blanks are collapsed. `Bogotá`, ` BOGOTA` and `ｂｏｇｏｔá` meet in `bogota`.
 *
 * `groupingKey` says what is meant; `keysSql` does it in DuckDB, equal but for the form of Hangul (composed there).
 */
export function groupingKey(text: string): string {
  return fold(text).replace(BLANKS, ' ').trim();
}

const MARKS = /\p{M}/gu;
const BLANKS = /\s+/g;

/** Letter by letter, since JavaScript's own lower case of Σ depends on its place in the word. */
function fold(text: string): string {
  const bare = text.normalize('NFKD').replace(MARKS, '');
  const folded = [...bare].map((letter) => letter.toUpperCase().toLowerCase()).join('');
  return folded.normalize('NFKD').replace(MARKS, '');
}

/** What `lower(strip_accents(…))` makes of a letter, in JavaScript. */
function engineFold(letter: string): string {
  return letter.normalize('NFD').replace(MARKS, '').toLowerCase().normalize('NFC');
}

/** Blocks (of 256) that hold letters which DuckDB's two functions do not bring together; all other blocks hold none. */
const BLOCKS = [
  ...[0x00, 0x01, 0x02, 0x03, 0x05, 0x06, 0x0e, 0x0f, 0x10, 0x13, 0x16, 0x1c, 0x1d, 0x1e, 0x1f, 0x20, 0x21, 0x22, 0x24],
  ...[0x2a, 0x2c, 0x2d, 0x2e, 0x2f, 0x30, 0x31, 0x32, 0x33, 0xa6, 0xa7, 0xab, 0xfb, 0xfc, 0xfd, 0xfe, 0xff, 0x105],
  ...[0x107, 0x1cc, 0x1d4, 0x1d5, 0x1d6, 0x1d7, 0x1e0, 0x1ee, 0x1f1, 0x1f2, 0x1fb],
];

interface OddLetters {
  /** A character class of RE2. */
  pattern: string;
  /** `from[i]` becomes `to[i]`. */
  from: string;
  to: string;
}

const BETWEEN = '\u001f';
let known: OddLetters | undefined;

/** Some 3,900 letters (ligatures, full width, superscripts, ß, ς …), found once: 30 ms. */
function oddLetters(): OddLetters {
  if (known) return known;
  const found = BLOCKS.flatMap((block) => Array.from({ length: 256 }, (_, low) => block * 256 + low))
    .filter((code) => code > 0)
    .map((code) => ({ code, letter: String.fromCodePoint(code) }))
    .map(({ code, letter }) => ({ code, letter, key: /\s/.test(letter) ? ' ' : fold(letter).normalize('NFC') }))
    .filter(({ letter, key }) => key !== (letter === ' ' ? ' ' : engineFold(letter)) || BLANK_OF_JS.test(letter));
  known = {
    pattern: `[${rangesOf(found.map(({ code }) => code))}]`,
    from: found.map(({ letter }) => letter).join(''),
    to: found.map(({ key }) => key).join(BETWEEN),
  };
  return known;
}

/** Blanks of JavaScript that are none in RE2. */
const BLANK_OF_JS = /[^\S\t\n\f\r ]/;

function rangesOf(codes: readonly number[]): string {
  const ranges: [first: number, last: number][] = [];
  for (const code of codes) {
    const last = ranges.at(-1);
    if (last && last[1] === code - 1) last[1] = code;
    else ranges.push([code, code]);
  }
  const hex = (code: number): string => `\\x{${code.toString(16)}}`;
  return ranges.map(([first, last]) => (first === last ? hex(first) : `${hex(first)}-${hex(last)}`)).join('');
}

/**
 * A SELECT of `text, key, shown` for each text that `column` of `from` holds: its group, and how it is written there
 * with its blanks collapsed. Both are NULL where nothing is written. Odd letters are joined with their plain form, since one
 * look-up per letter as an expression took a hundred times as long.
 */
export function keysSql(from: string, column: string): string {
  const { pattern, from: odd, to: plain } = oddLetters();
  return `SELECT text, ${collapsed('lower(strip_accents(coalesce(plain_text, text)))', '\\s+')} AS key, ${collapsed('text', ANY_BLANKS)} AS shown
    FROM (SELECT DISTINCT ${column} AS text FROM ${from} WHERE ${column} IS NOT NULL)
    LEFT JOIN (
      SELECT odd_text, string_agg(coalesce(plain, letter), '' ORDER BY place) AS plain_text
      FROM (
        SELECT ${column} AS odd_text, unnest(string_split(${column}, '')) AS letter, generate_subscripts(string_split(${column}, ''), 1) AS place
        FROM (SELECT DISTINCT ${column} FROM ${from} WHERE regexp_matches(${column}, ${quoteLiteral(pattern)})))
      LEFT JOIN (SELECT unnest(string_split(${quoteLiteral(odd)}, '')) AS odd, unnest(string_split(${quoteLiteral(plain)}, chr(31))) AS plain) ON odd = letter
      GROUP BY odd_text) ON odd_text = text`;
}

const ANY_BLANKS =
  '[\\s\\v\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}]+';

function collapsed(text: string, blanks: string): string {
  return `nullif(trim(regexp_replace(${text}, '${blanks}', ' ', 'g')), '')`;
}
