import { createWriteStream } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { columnType, quoteIdentifier, quoteLiteral } from '#contract/columns.ts';
import type { ReadRequest, ReadTable } from '#contract/load.ts';
import { fail } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';

/**
 * Reads well-formed CSV with DuckDB alone, in this process: what tests of the commit side need of a
 * reader. `#TABLE name` lines cut a file into several tables; a line `BAD…` is quarantined.
 */
export async function readSimpleCsv(request: ReadRequest): Promise<ReadTable[]> {
  const text = await readFile(request.path, 'utf8');
  if (text.startsWith('CORRUPT')) throw fail('corrupt_file', 'The file is damaged.', { hint: 'Send it again.' });
  const parts = text.split(/^#TABLE (.*)\n/m);
  const named = parts.length > 1;
  const tables: ReadTable[] = [];
  for (let index = named ? 1 : 0; index < parts.length; index += named ? 2 : 1) {
    const lines = (named ? (parts[index + 1] ?? '') : (parts[0] ?? '')).split('\n').filter((line) => line !== '');
    const source = join(request.out_dir, `${newId()}.csv`);
    await writeFile(source, `${lines.filter((line) => !line.startsWith('BAD')).join('\n')}\n`);
    const table = await readTable(request, source, lines);
    tables.push(named ? { ...table, name: parts[index] ?? '' } : table);
  }
  return tables;
}

async function readTable(request: ReadRequest, source: string, lines: string[]): Promise<ReadTable> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  try {
    const connection = await instance.connect();
    const source_id = newId();
    const path = join(request.out_dir, `${newId()}.parquet`);
    const types = request.options.types ? ', all_varchar = true' : '';
    const csv = `read_csv(${quoteLiteral(source)}, header = true${types})`;
    const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${csv}`);
    const columns = described.getRowObjects().map((row) => ({
      name: String(row['column_name']),
      type: columnType(String(row['column_type'])),
      nullable: true,
    }));
    const names = columns.map(({ name }) => quoteIdentifier(name)).join(', ');
    const { rowsChanged: rows } = await connection.run(
      `COPY (SELECT ${names}, ${quoteLiteral(source_id)}::UUID AS _source, TIMESTAMP '2026-01-01 00:00:00' AS _loaded_at
             FROM ${csv}) TO ${quoteLiteral(path)} (FORMAT parquet, COMPRESSION zstd)`,
    );
    connection.closeSync();
    const bad = lines.flatMap((raw, index) => (raw.startsWith('BAD') ? [{ raw, line: index + 1 }] : []));
    const quarantine_path = bad.length > 0 ? await writeQuarantine(request, bad) : undefined;
    const { size } = await stat(path);
    return {
      source_id,
      sniffed: { format: 'csv', delimiter: ',', quote: '"', header: true, encoding: 'utf-8' },
      columns,
      segments: rows > 0 ? [{ path, rows, bytes: size, first_line: 2, profile: null }] : [],
      accounting: { read: rows + bad.length, accepted: rows, quarantined: bad.length, duplicates: 0, skipped: [] },
      ...(quarantine_path ? { quarantine_path } : {}),
    };
  } finally {
    instance.closeSync();
  }
}

async function writeQuarantine(request: ReadRequest, bad: { raw: string; line: number }[]): Promise<string> {
  const path = join(request.out_dir, `${newId()}.ndjson`);
  const stream = createWriteStream(path);
  for (const { raw, line } of bad) {
    stream.write(`${JSON.stringify({ line, column: null, reason: 'wrong number of fields', value: null, raw })}\n`);
  }
  await new Promise<void>((resolve, reject) => {
    stream.on('error', reject);
    stream.end(resolve);
  });
  return path;
}
