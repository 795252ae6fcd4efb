import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { quoteIdentifier, quoteLiteral } from '#contract/columns.ts';
import type { QuarantinedRow, ReadTable } from '#contract/load.ts';
import type { ReaderOptions } from '#contract/reader-options.ts';
import type { ReaderPool } from '#features/loading/read/spawn.ts';
import { CaudalError } from '#kernel/errors.ts';

/** One file of a corpus, compared with its truth. */
export interface CorpusResult {
  file: string;
  verdict: 'equal' | 'documented' | 'DIFFERENT';
  /** An error code, or what is documented or different. */
  note?: string;
  /** |read − accepted − quarantined − duplicates| + |accepted − rows found in the segments|. */
  unaccounted: number;
}

/** A folder of test data and how to judge it; one file `scripts/corpus/<name>.ts` each. */
export interface Corpus {
  name: string;
  /** Results in the order of the files. @throws when the folder is not as expected */
  run(folder: string, read: CorpusRead): Promise<CorpusResult[]>;
  /** Lines to print below the table (scores). */
  summary?(folder: string, read: CorpusRead): Promise<string[]>;
}

export interface LoadedTable {
  table: ReadTable;
  names: string[];
  /** Values as text, null for NULL, in file order. */
  rows: (string | null)[][];
  lines: number[];
  quarantine: QuarantinedRow[];
}

export type Outcome =
  | { ok: true; tables: LoadedTable[]; unaccounted: number }
  | { ok: false; code: string; message: string };
export type CorpusRead = (path: string, options?: ReaderOptions, filename?: string) => Promise<Outcome>;

const LIMITS = {
  memory_bytes: 1e9,
  threads: 2,
  max_columns: 10_000,
  max_value_bytes: 100 * 2 ** 20,
  max_unpacked_bytes: 10e9,
  max_ratio: 1000,
  timeout_ms: 120_000,
};

/** Reads files as a worker would, in disposable children, and fetches the rows back. */
export async function createCorpusRead(pool: ReaderPool): Promise<{ read: CorpusRead; close(): void }> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  return {
    close: () => {
      connection.closeSync();
      instance.closeSync();
    },
    async read(path, options = {}, filename = basename(path)) {
      const out_dir = await mkdtemp(join(tmpdir(), 'caudal-corpus-'));
      try {
        const tables = await pool.read({
          path,
          filename,
          options,
          out_dir,
          source: { loaded_at: '2026-01-01T00:00:00Z' },
          limits: LIMITS,
        });
        const loaded: LoadedTable[] = [];
        for (const table of tables) loaded.push(await fetchBack(connection, table));
        return { ok: true, tables: loaded, unaccounted: loaded.reduce((sum, table) => sum + unaccounted(table), 0) };
      } catch (error) {
        if (error instanceof CaudalError) return { ok: false, code: error.code, message: error.message };
        throw error;
      } finally {
        await rm(out_dir, { recursive: true, force: true });
      }
    },
  };
}

function unaccounted({ table, rows, quarantine }: LoadedTable): number {
  const { read, accepted, quarantined, duplicates } = table.accounting;
  return (
    Math.abs(read - accepted - quarantined - duplicates) +
    Math.abs(accepted - rows.length) +
    Math.abs(quarantined - quarantine.length)
  );
}

async function fetchBack(connection: DuckDBConnection, table: ReadTable): Promise<LoadedTable> {
  const names = table.columns.map((column) => column.name);
  const rows: (string | null)[][] = [];
  const lines: number[] = [];
  for (const segment of table.segments) {
    const line = segment.first_line === null ? '_line' : `file_row_number + ${segment.first_line}`;
    const select = [...names.map((name) => `CAST(${quoteIdentifier(name)} AS VARCHAR)`), `CAST(${line} AS BIGINT)`];
    const reader = await connection.runAndReadAll(
      `SELECT ${select.join(', ')} FROM read_parquet(${quoteLiteral(segment.path)}, file_row_number = true)`,
    );
    for (const row of reader.getRows()) {
      lines.push(Number(row.at(-1)));
      rows.push(row.slice(0, -1).map((value) => (value === null ? null : String(value))));
    }
  }
  const ndjson = table.quarantine_path === undefined ? '' : await readFile(table.quarantine_path, 'utf8');
  const quarantine = ndjson
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as QuarantinedRow);
  return { table, names, rows, lines, quarantine };
}

/** Header (unless there is none) and rows as text; NULL is empty. */
export function asText({ table, names, rows }: LoadedTable): string[][] {
  const body = rows.map((row) => row.map((value) => value ?? ''));
  return table.sniffed.header === false ? body : [names, ...body];
}
