export interface SqlPlace {
  /** Characters of the query: the word that is wrong. */
  start: number;
  end: number;
  /** From 1. */
  line: number;
  column: number;
  /** The line, whole. */
  text: string;
}

const WORD = /^(?:[\p{L}\p{N}_]+|"(?:[^"]|"")*"|'(?:[^']|'')*'|\S)/u;

/** Where a character of the query (counted from 0, as the API does) is, for a person and for a text field. */
export function sqlPlace(query: string, position: number): SqlPlace {
  const start = Math.max(0, Math.min(position, query.length));
  const end = start + (WORD.exec(query.slice(start))?.[0].length ?? 0);
  const lineStart = query.lastIndexOf('\n', start - 1) + 1;
  const lineEnd = query.indexOf('\n', start);
  return {
    start,
    end,
    line: query.slice(0, lineStart).split('\n').length,
    column: start - lineStart + 1,
    text: query.slice(lineStart, lineEnd === -1 ? undefined : lineEnd),
  };
}

/** As SQL wants the name; plain where it can be. */
export function quoted(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}
