import { DuckDBDataChunk, type DuckDBType } from '@duckdb/node-api';
import duckdb from '@duckdb/node-bindings';
import type { Cell, CellType } from '../schema.ts';

type Vector = duckdb.Vector;
/** A cell of each row, in order. */
type Cells = readonly (Cell | undefined)[];

/** DuckDB's vector size: the most rows a chunk holds. */
export const CHUNK_ROWS = 2048;

/**
 * Rows as one of DuckDB's data chunks, at most {@link CHUNK_ROWS}. `DuckDBDataChunk.setColumns` calls DuckDB for every
 * text; most texts of telemetry stand in many rows, and here DuckDB is called once for each different text of a column:
 * a span costs 5 µs instead of 12.
 */
export function chunkOf(
  types: readonly DuckDBType[],
  columns: Readonly<Record<string, CellType>>,
  rows: readonly Readonly<Record<string, Cell>>[],
): DuckDBDataChunk {
  const filled = DuckDBDataChunk.create(types, rows.length);
  for (const [index, [name, type]] of Object.entries(columns).entries()) {
    const cells = rows.map((row) => row[name]);
    const vector = duckdb.data_chunk_get_vector(filled.chunk, index);
    if (type === 'VARCHAR') fillTexts(vector, cells);
    else copy(vector, type === 'BIGINT' ? bigints(cells) : numbers(cells, type));
    markNulls(vector, cells);
  }
  return filled;
}

/** `duckdb_string_t`: the length, then up to 12 bytes of text, or the first four and where the whole is. */
const TEXT_BYTES = 16;

/** Equal texts of a vector share what DuckDB keeps of the first: the same bytes, or the same place in the vector's heap. */
function fillTexts(vector: Vector, cells: Cells): void {
  const first = new Map<string, number>();
  const repeats: number[] = [];
  let last: Cell | undefined;
  let lastAt = 0;
  for (let row = 0; row < cells.length; row += 1) {
    const cell = cells[row];
    if (cell === null || cell === undefined) continue;
    if (typeof cell !== 'string') throw new TypeError(`${typeof cell} where a text belongs`);
    if (cell !== last) {
      last = cell;
      const at = first.get(cell);
      lastAt = at ?? row;
      if (at === undefined) {
        first.set(cell, row);
        duckdb.vector_assign_string_element(vector, row, cell);
        continue;
      }
    }
    repeats.push(row, lastAt);
  }
  if (repeats.length === 0) return;
  const bytes = duckdb.vector_get_data(vector, cells.length * TEXT_BYTES);
  const words = new BigUint64Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, 2 * cells.length);
  for (let index = 0; index < repeats.length; index += 2) {
    const to = 2 * (repeats[index] as number);
    const from = 2 * (repeats[index + 1] as number);
    words[to] = words[from] as bigint;
    words[to + 1] = words[from + 1] as bigint;
  }
  copy(vector, words);
}

/** @throws RangeError what does not fit into 64 bits would become another number */
function bigints(cells: Cells): BigInt64Array<ArrayBuffer> {
  const items = new BigInt64Array(cells.length);
  for (let row = 0; row < cells.length; row += 1) {
    const cell = cells[row];
    if (cell === null || cell === undefined) continue;
    if (typeof cell !== 'bigint') throw new TypeError(`${typeof cell} where 64 bits belong`);
    if (BigInt.asIntN(64, cell) !== cell) throw new RangeError(`${cell} is beyond 64 bits`);
    items[row] = cell;
  }
  return items;
}

const ARRAYS = { INTEGER: Int32Array, DOUBLE: Float64Array, BOOLEAN: Uint8Array } as const;

function numbers(
  cells: Cells,
  type: keyof typeof ARRAYS,
): Int32Array<ArrayBuffer> | Float64Array<ArrayBuffer> | Uint8Array<ArrayBuffer> {
  const items = new ARRAYS[type](cells.length);
  for (let row = 0; row < cells.length; row += 1) items[row] = Number(cells[row] ?? 0);
  return items;
}

function markNulls(vector: Vector, cells: Cells): void {
  let valid: Uint8Array<ArrayBuffer> | undefined;
  for (let row = 0; row < cells.length; row += 1) {
    if (cells[row] !== null && cells[row] !== undefined) continue;
    valid ??= new Uint8Array(8 * Math.ceil(cells.length / 64)).fill(0xff);
    valid[row >> 3] = (valid[row >> 3] as number) & ~(1 << (row & 7));
  }
  if (!valid) return;
  duckdb.vector_ensure_validity_writable(vector);
  duckdb.copy_data_to_vector_validity(vector, 0, valid.buffer, 0, valid.byteLength);
}

function copy(vector: Vector, { buffer, byteOffset, byteLength }: NodeJS.TypedArray<ArrayBuffer>): void {
  duckdb.copy_data_to_vector(vector, 0, buffer, byteOffset, byteLength);
}
