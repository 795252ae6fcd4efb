import { quoteLiteral } from '#contract/columns.ts';
import { type CellKind, columnLetters, LONGEST_TEXT, STYLE, STYLE_OF, TRUNCATED } from './cells.ts';

/**
 * A column of cells as DuckDB has it: `values` are expressions, of which the first that is not NULL is shown. The first is of the
 * kind; a second one is text, for what a cell of that kind cannot hold.
 */
export interface CellColumn {
  name: string;
  kind: CellKind;
  values: string[];
}

/**
 * A SELECT of one text per row of `from`: its XML, equal to what `workbook.ts` writes of the same cells. The engine makes a million
 * rows in a third of the CPU that JavaScript took, and in no heap at all. `number` is the row's number in its sheet. A text holds no
 * line feed, so that rows can go out as lines. One `concat` of all pieces: a chain of `||` copies the row once per piece, three
 * times the work.
 */
export function rowsSql(from: string, columns: readonly CellColumn[], number: string): string {
  const values = columns.flatMap((column, index) =>
    column.values.map((value, place) => `${value} AS ${valueName(index, place)}`),
  );
  const cells = columns.map((column, index) => cellSql(column, index));
  return `SELECT concat('<row r="', rn, '">', ${[...cells, "'</row>'"].join(', ')}) AS xml
    FROM (SELECT ${[`CAST(${number} AS VARCHAR) AS rn`, ...values].join(', ')} FROM (${from}))`;
}

const valueName = (column: number, place: number): string => `c${column}_${place}`;

function cellSql({ kind, values }: CellColumn, index: number): string {
  const letters = columnLetters(index);
  const shown = values.map((_, place) => {
    const value = valueName(index, place);
    const text = place > 0 || kind === 'text';
    return text ? textCases(letters, value) : [`WHEN ${value} IS NOT NULL THEN ${typedSql(letters, kind, value)}`];
  });
  return `CASE ${shown.flat().join(' ')} ELSE '' END`;
}

function typedSql(letters: string, kind: CellKind, value: string): string {
  const style = STYLE_OF[kind] ?? STYLE.plain;
  const attributes = `"${style === STYLE.plain ? '' : ` s="${style}"`}${kind === 'boolean' ? ' t="b"' : ''}`;
  const shown = kind === 'boolean' ? `CAST(${value} AS INTEGER)` : value;
  return `concat('<c r="${letters}', rn, '${attributes}><v>', ${shown}, '</v></c>')`;
}

const FORMULA = '^[=+@\\t\\r-]';
/** Blanks that XML would drop. */
const SPACE = '^\\s|\\s$|\\n';
const UNFIT = '[\\x00-\\x08\\x0b\\x0c\\x0d\\x0e-\\x1f\\x{fffe}\\x{ffff}]';
const ESCAPE = '_x[0-9A-Fa-f]{4}_';
/** Whatever is more than its own letters; few texts are, and the one look tells. */
const ODD = `^[=+@\\s-]|\\s$|[&<>\\n]|${UNFIT}|${ESCAPE}`;

function textCases(letters: string, value: string): string[] {
  const open = `concat('<c r="${letters}', rn`;
  const close = `'</t></is></c>')`;
  const style = `CASE WHEN ${matches(value, FORMULA)} THEN '" s="${STYLE.text}"' ELSE '"' END`;
  const space = `CASE WHEN ${matches(value, SPACE)} THEN ' xml:space="preserve">' ELSE '>' END`;
  return [
    `WHEN strlen(${value}) > ${LONGEST_TEXT} OR ${matches(value, ODD)} THEN ${open}, ${style}, ' t="inlineStr"><is><t', ${space}, ${escapedSql(value)}, ${close}`,
    `WHEN ${value} IS NOT NULL THEN ${open}, '" t="inlineStr"><is><t>', ${value}, ${close}`,
  ];
}

function matches(value: string, pattern: string): string {
  return `regexp_matches(${value}, ${quoteLiteral(pattern)})`;
}

/** As `escapeText`; where a text holds anything like an escape, each `_x` in it is kept apart. */
function escapedSql(value: string): string {
  const fitting = fittingSql(value);
  const apart = `CASE WHEN ${matches(value, ESCAPE)} THEN replace(${fitting}, '_x', '_x005F_x') ELSE ${fitting} END`;
  const markup = [
    ['&', '&amp;'],
    ['<', '&lt;'],
    ['>', '&gt;'],
  ].reduce((text, [from = '', to = '']) => `replace(${text}, '${from}', '${to}')`, apart);
  const plain = CONTROLS.reduce((text, code) => `replace(${text}, chr(${code}), '${escapeOf(code)}')`, markup);
  return `replace(CASE WHEN ${matches(value, UNFIT)} THEN ${plain} ELSE ${markup} END, chr(10), '&#10;')`;
}

const CONTROLS = [...Array(32).keys(), 0xfffe, 0xffff].filter((code) => code !== 9 && code !== 10);
const escapeOf = (code: number): string => `_x${code.toString(16).toUpperCase().padStart(4, '0')}_`;

/** Excel counts UTF-16: where letters of two units are among them, half as many surely fit. */
function fittingSql(value: string): string {
  const pairs = `regexp_matches(${value}, '[\\x{10000}-\\x{10ffff}]')`;
  const kept = LONGEST_TEXT - TRUNCATED.length;
  const cut = `left(${value}, CASE WHEN ${pairs} THEN ${Math.floor(kept / 2)} ELSE ${kept} END) || '${TRUNCATED}'`;
  const fits = `length(${value}) + CASE WHEN ${pairs} THEN length(regexp_replace(${value}, '[^\\x{10000}-\\x{10ffff}]', '', 'g')) ELSE 0 END <= ${LONGEST_TEXT}`;
  return `CASE WHEN strlen(${value}) <= ${LONGEST_TEXT} OR ${fits} THEN ${value} ELSE ${cut} END`;
}
