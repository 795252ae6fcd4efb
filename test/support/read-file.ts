import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { balances } from '#contract/accounting.ts';
import { quoteLiteral } from '#contract/columns.ts';
import type { QuarantinedRow, ReadLimits, ReadRequest, ReadTable } from '#contract/load.ts';
import type { ReaderOptions } from '#contract/reader-options.ts';
import { type Format, formatOf } from '#features/loading/read/format.ts';
import { openFile } from '#features/loading/read/open.ts';
import type { Reader } from '#features/loading/read/reader.ts';

const READERS: Record<Format, () => Promise<Reader>> = {
  csv: async () => (await import('#features/loading/read/csv/csv.ts')).readCsv,
  tsv: async () => (await import('#features/loading/read/csv/csv.ts')).readCsv,
  ndjson: async () => (await import('#features/loading/read/json/ndjson.ts')).readNdjson,
  json: async () => (await import('#features/loading/read/json/json.ts')).readJson,
  parquet: async () => (await import('#features/loading/read/parquet/parquet.ts')).readParquet,
  xlsx: async () => (await import('#features/loading/read/xlsx/xlsx.ts')).readXlsx,
};

export const LIMITS: ReadLimits = {
  memory_bytes: 1e9,
  threads: 2,
  max_columns: 10_000,
  max_value_bytes: 64 * 2 ** 20,
  max_unpacked_bytes: 10e9,
  max_ratio: 1000,
  timeout_ms: 60_000,
};

export interface ReadBack {
  table: ReadTable;
  types: Record<string, string>;
  /** As DuckDB's JSON: integers beyond 2^53 and decimals as strings. */
  rows: Record<string, unknown>[];
  lines: number[];
  quarantine: QuarantinedRow[];
}

export interface ReadFileOptions {
  options?: ReaderOptions;
  limits?: Partial<ReadLimits>;
  target?: ReadRequest['target'];
}

/**
 * Reads a file in this process by the same steps as a reader child, and hands back its tables' rows.
 * Everything is removed again; every table's account must balance.
 */
export async function readFileBack(
  path: string,
  filename: string,
  { options = {}, limits = {}, target }: ReadFileOptions = {},
): Promise<ReadBack[]> {
  const out_dir = await mkdtemp(join(tmpdir(), 'caudal-read-'));
  const instance = await DuckDBInstance.create(':memory:', { threads: '2', memory_limit: '1GB' });
  const connection = await instance.connect();
  try {
    const temp_dir = join(out_dir, 'temp');
    await mkdir(temp_dir);
    const request: ReadRequest = {
      path,
      filename,
      options,
      out_dir,
      source: { loaded_at: '2026-01-01T00:00:00Z' },
      limits: { ...LIMITS, ...limits },
      ...(target ? { target } : {}),
    };
    const context = { request, connection, temp_dir, progress: () => {}, sniffed: () => {} };
    const tables: ReadTable[] = [];
    for (const file of await openFile(request, temp_dir)) {
      const reader = READERS[await formatOf(file, options)];
      tables.push(...(await (await reader())(file, context)));
    }
    const result: ReadBack[] = [];
    for (const table of tables) result.push(await readBack(connection, table));
    return result;
  } finally {
    connection.closeSync();
    instance.closeSync();
    await rm(out_dir, { recursive: true });
  }
}

async function readBack(connection: DuckDBConnection, table: ReadTable): Promise<ReadBack> {
  if (!balances(table.accounting)) throw new Error(`does not balance: ${JSON.stringify(table.accounting)}`);
  const rows: Record<string, unknown>[] = [];
  const lines: number[] = [];
  for (const segment of table.segments) {
    await stat(segment.path);
    const sql = `SELECT * FROM read_parquet(${quoteLiteral(segment.path)}, file_row_number = true)`;
    const found = (await connection.runAndReadAll(sql)).getRowObjectsJson();
    for (const { _source, _loaded_at, _line, file_row_number, ...row } of found) {
      if (_source !== table.source_id || _loaded_at === null) throw new Error('system columns are missing');
      lines.push(segment.first_line === null ? Number(_line) : segment.first_line + Number(file_row_number));
      rows.push(row);
    }
  }
  if (rows.length !== table.accounting.accepted) throw new Error(`${rows.length} rows of ${table.accounting.accepted}`);
  const quarantine = table.quarantine_path ? (await readFile(table.quarantine_path, 'utf8')).trimEnd().split('\n') : [];
  return {
    table,
    types: Object.fromEntries(table.columns.map((column) => [column.name, column.type])),
    rows,
    lines,
    quarantine: quarantine.map((line) => JSON.parse(line) as QuarantinedRow),
  };
}

/** The same for bytes made by the test. */
export async function readBytesBack(
  bytes: Buffer | string,
  filename: string,
  settings: ReadFileOptions = {},
): Promise<ReadBack[]> {
  const directory = await mkdtemp(join(tmpdir(), 'caudal-bytes-'));
  try {
    const path = join(directory, 'object');
    await writeFile(path, bytes);
    return await readFileBack(path, filename, settings);
  } finally {
    await rm(directory, { recursive: true });
  }
}
