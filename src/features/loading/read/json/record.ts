import type { RowSink } from '../rows/sink.ts';
import { cellText, jsonCell, stringEnd, stringText, valueEnd } from './cells.ts';

/** What is decided about a document's records before they are read. */
export interface RecordPlan {
  /** Members whose objects become columns of their own, `a.b`; other objects and all arrays are JSON. */
  nested: ReadonlySet<string>;
  /** Members that are now a container, now a scalar: JSON throughout. */
  varying: ReadonlySet<string>;
  /** GeoJSON features: their properties are the columns, `geometry` is JSON, `type` says nothing. */
  features: boolean;
  /** Elements that are arrays: one column per position, named so as far as the names go. */
  positional?: string[];
}

/** Turns validated records into rows of a sink. */
export interface RecordReader {
  /** `buffer[start]` is the first byte of the record; `key` is the name it stands under, if that is data. */
  read(buffer: Buffer, start: number, end: number, line: number, key?: string): void;
}

const GEOMETRY = new Set(['id', 'geometry', 'bbox']);

export function createRecordReader(sink: RowSink, plan: RecordPlan): RecordReader {
  let cells: (string | undefined)[] = [];
  let line = 0;

  const put: Visit = (name, buffer, start, end) => {
    const index = sink.column(name);
    const column = sink.columns[index];
    if (column === undefined) return;
    if (cells[index] !== undefined) sink.skip(line, `the key “${name}” occurs twice: its last value counts`);
    cells[index] = plan.varying.has(name)
      ? jsonCell(buffer, start, end, column.typing)
      : cellText(buffer, start, end, column.typing);
  };
  const putKey = (key: string): void => {
    const name = Buffer.from(key, 'utf8');
    put('key', name, 0, name.length);
  };
  const putFlat: Visit = (key, buffer, start, end) => {
    if (!plan.nested.has(key)) return put(key, buffer, start, end);
    // No object, no values: `p.x` and its like are NULL, and `p` itself is no column for that.
    if (buffer[start] === 0x6e) return;
    if (buffer[start] !== 0x7b) return put(key, buffer, start, end);
    eachMember(buffer, start, (inner, _buffer, from, to) => put(`${key}.${inner}`, buffer, from, to));
  };
  const putFeature: Visit = (key, buffer, start, end) => {
    if (key === 'type') return;
    if (key !== 'properties' || buffer[start] !== 0x7b) return put(key, buffer, start, end);
    // A property named as a member of the feature itself keeps out of its way.
    eachMember(buffer, start, (name, _buffer, from, to) => {
      if (GEOMETRY.has(name)) put(`properties.${name}`, buffer, from, to);
      else putFlat(name, buffer, from, to);
    });
  };

  return {
    read(buffer, start, end, at_line, key) {
      cells = [];
      line = at_line;
      if (key !== undefined) putKey(key);
      const first = buffer[start];
      if (first === 0x7b) eachMember(buffer, start, plan.features ? putFeature : putFlat);
      else if (first === 0x5b && plan.positional) eachElement(buffer, start, plan.positional, put);
      else put('value', buffer, start, end);
      sink.row(line, cells, cells.length);
    },
  };
}

type Visit = (name: string, buffer: Buffer, start: number, end: number) => void;

/** Walks the members of a valid object that begins at `start`. */
function eachMember(buffer: Buffer, start: number, visit: Visit): void {
  let at = skipBlanks(buffer, start + 1);
  while (buffer[at] === 0x22) {
    const key_end = stringEnd(buffer, at);
    const key = stringText(buffer, at, key_end);
    const value = skipBlanks(buffer, skipBlanks(buffer, key_end) + 1);
    const end = valueEnd(buffer, value);
    visit(key, buffer, value, end);
    at = skipBlanks(buffer, end);
    if (buffer[at] !== 0x2c) return;
    at = skipBlanks(buffer, at + 1);
  }
}

function eachElement(buffer: Buffer, start: number, names: string[], visit: Visit): void {
  let at = skipBlanks(buffer, start + 1);
  for (let index = 0; buffer[at] !== 0x5d; index++) {
    const end = valueEnd(buffer, at);
    visit(names[index] ?? `column${index}`, buffer, at, end);
    at = skipBlanks(buffer, end);
    if (buffer[at] !== 0x2c) return;
    at = skipBlanks(buffer, at + 1);
  }
}

function skipBlanks(buffer: Buffer, from: number): number {
  let at = from;
  while ((buffer[at] as number) <= 0x20) at++;
  return at;
}
