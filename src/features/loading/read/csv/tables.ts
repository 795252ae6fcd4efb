import { createCells, type Grammar, NEED_MORE, parseRecord } from './grammar.ts';
import { isNullWord, KINDS } from './kinds.ts';

const AHEAD = 3;
const cells = createCells();

/**
 * Whether a record of another width than the table's begins a further table in the same file: it
 * reads like a header (names, all different), it names columns of the table above or follows a
 * blank line, and the records after it have its width.
 */
export function startsTable(
  texts: string[],
  table: { width: number; header: string[] | undefined },
  text: Buffer,
  next: number,
  eof: boolean,
  grammar: Grammar,
  afterBlank: boolean,
): 'yes' | 'no' | 'unknown' {
  if (!readsLikeHeader(texts)) return 'no';
  const known = new Set(table.header ?? []);
  const familiar = texts.filter((name) => known.has(name)).length / texts.length;
  if (familiar < 0.8 && !afterBlank) return 'no';
  let at = next;
  let agree = 0;
  for (let ahead = 0; ahead < AHEAD && at < text.length; ahead += 1) {
    const end = parseRecord(text, at, eof, grammar, cells);
    if (end === NEED_MORE) return eof ? 'no' : 'unknown';
    if (end < 0) return 'no';
    if (cells.count === texts.length) agree += 1;
    at = end;
  }
  if (agree === 0 && !eof && at >= text.length) return 'unknown';
  return agree > 0 && agree >= AHEAD - 1 ? 'yes' : agree > 0 && at >= text.length && eof ? 'yes' : 'no';
}

function readsLikeHeader(texts: string[]): boolean {
  if (texts.length < 2 || new Set(texts).size !== texts.length) return false;
  return texts.every((text) => {
    const cell = text.trim();
    return cell !== '' && cell.length <= 100 && !isNullWord(cell) && !KINDS.some((kind) => kind.matches(cell));
  });
}
