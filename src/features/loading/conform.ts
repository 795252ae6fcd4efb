import { createReadStream } from 'node:fs';
import { appendFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { quoteIdentifier, quoteLiteral } from '#contract/columns.ts';
import type { DeclaredColumn } from '#contract/datasets.ts';
import type { ReadSegment, ReadTable } from '#contract/load.ts';
import { fail } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import { linesOf } from '#kernel/lines.ts';
import { collectProfile } from '#platform/lake/profile.ts';
import type { QuarantineRow } from '#platform/lake/quarantine.ts';
import { foldName } from '#platform/lake/schema.ts';
import { type ConformedColumn, conformColumns, problemSql } from './conform-sql.ts';

export interface ConformTools {
  /** The reader's directory: conformed segments are written beside those read. */
  out_dir: string;
  memory_bytes: number;
  threads: number;
  signal: AbortSignal;
}

/**
 * A table as a declared dataset takes it: every column of the declared type and within its rules; rows
 * that break one move to quarantine with the column, the reason, the value, and the record as JSON.
 * Works on what the reader child wrote, so every format obeys the same rules.
 *
 * @throws schema_mismatch when the file has columns that are not declared, or lacks a required one
 */
export async function conform(
  table: ReadTable,
  dataset: { name: string; declared: readonly DeclaredColumn[] },
  tools: ConformTools,
): Promise<ReadTable> {
  checkColumns(table, dataset);
  const columns = conformColumns(table.columns, dataset.declared);
  const same = columns.every((column) =>
    table.columns.some(({ name, type }) => name === column.name && type === column.type),
  );
  const needsRules = columns.some((column) => column.rules.length > 0);
  const needsDefaults = dataset.declared.some((column) => column.default !== undefined);
  if (same && !needsRules && !needsDefaults) return table;
  const instance = await DuckDBInstance.create(':memory:', {
    threads: String(tools.threads),
    memory_limit: `${Math.floor(tools.memory_bytes / 1e6)}MB`,
    temp_directory: join(tools.out_dir, 'conform-spill'),
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
  const connection = await instance.connect();
  await connection.run("SET TimeZone = 'UTC'");
  const interrupt = (): void => connection.interrupt();
  tools.signal.addEventListener('abort', interrupt, { once: true });
  try {
    return await conformTable(connection, table, columns, tools, same && !needsDefaults);
  } catch (error) {
    tools.signal.throwIfAborted();
    throw error;
  } finally {
    tools.signal.removeEventListener('abort', interrupt);
    connection.closeSync();
    instance.closeSync();
  }
}

function checkColumns(table: ReadTable, dataset: { name: string; declared: readonly DeclaredColumn[] }): void {
  const declared = new Map(dataset.declared.map((column) => [foldName(column.name), column]));
  const given = new Set(table.columns.map((column) => foldName(column.name)));
  const unknown = table.columns
    .filter((column) => !declared.has(foldName(column.name)))
    .map(({ name }) => ({ field: name, code: 'unknown_column', message: `"${name}" is not declared.` }));
  const lacking = dataset.declared
    .filter((column) => column.required && column.default === undefined && !given.has(foldName(column.name)))
    .map(({ name }) => ({
      field: name,
      code: 'missing_column',
      message: `"${name}" is required and not in the file.`,
    }));
  const errors = [...unknown, ...lacking];
  if (errors.length === 0 || (table.columns.length === 0 && table.accounting.read === 0)) return;
  throw fail(
    'schema_mismatch',
    `The file does not fit "${dataset.name}": ${errors
      .map((e) => e.message)
      .slice(0, 5)
      .join(' ')}`,
    {
      errors: errors.slice(0, 100),
      hint: 'Rename the columns in the file or declare them (PATCH /datasets/{name}); or load into another dataset.',
    },
  );
}

async function conformTable(
  connection: DuckDBConnection,
  table: ReadTable,
  columns: ConformedColumn[],
  tools: ConformTools,
  keepWhole: boolean,
): Promise<ReadTable> {
  const segments: ReadSegment[] = [];
  const quarantinePath = table.quarantine_path ?? join(tools.out_dir, `${newId()}.quarantine.ndjson`);
  let refused = 0;
  for (const segment of table.segments) {
    tools.signal.throwIfAborted();
    const bad = await quarantineBroken(connection, table, segment, columns, quarantinePath);
    refused += bad;
    if (bad === 0 && keepWhole) segments.push(segment);
    else if (bad < segment.rows) segments.push(await writeConformed(connection, segment, columns, tools, bad));
  }
  const { accounting } = table;
  const counted = { accepted: accounting.accepted - refused, quarantined: accounting.quarantined + refused };
  return {
    ...table,
    columns: columns.map(({ name, type, rules }) => ({
      name,
      type,
      nullable: !rules.some(({ code }) => code === 'required'),
    })),
    segments,
    accounting: { ...accounting, ...counted },
    ...(refused > 0 ? { quarantine_path: quarantinePath } : {}),
  };
}

function source(segment: ReadSegment): string {
  const line = segment.first_line === null ? '_line' : `${segment.first_line} + file_row_number`;
  return `(SELECT *, ${line} AS "__caudal_line" FROM read_parquet(${quoteLiteral(segment.path)}, file_row_number = true))`;
}

/** Appends the segment's broken rows to the quarantine file, streaming. @returns how many */
async function quarantineBroken(
  connection: DuckDBConnection,
  table: ReadTable,
  segment: ReadSegment,
  columns: ConformedColumn[],
  path: string,
): Promise<number> {
  const record = table.columns.map(({ name }) => `${quoteLiteral(name)}: ${quoteIdentifier(name)}`).join(', ');
  const query = `
    SELECT __caudal_line, _problem."column", _problem."reason", _problem."value", CAST(_raw AS VARCHAR)
    FROM (SELECT __caudal_line, ${problemSql(columns)} AS _problem, to_json({${record}}) AS _raw FROM ${source(segment)})
    WHERE _problem IS NOT NULL`;
  if (columns.every((column) => column.rules.length === 0)) return 0;
  const result = await connection.stream(query);
  let bad = 0;
  for await (const chunk of result.yieldRows()) {
    const lines = chunk.map(([line, column, reason, value, raw]) => {
      const row: QuarantineRow = {
        line: Number(line),
        column: String(column),
        reason: String(reason),
        value: value === null ? null : String(value).slice(0, 65_536),
        raw: String(raw).slice(0, 65_536),
        raw_format: 'json',
      };
      return `${JSON.stringify(row)}\n`;
    });
    bad += chunk.length;
    await appendFile(path, lines.join(''));
  }
  return bad;
}

async function writeConformed(
  connection: DuckDBConnection,
  segment: ReadSegment,
  columns: ConformedColumn[],
  tools: ConformTools,
  bad: number,
): Promise<ReadSegment> {
  const path = join(tools.out_dir, `${newId()}.parquet`);
  const values = columns.map(({ name, value }) => `${value} AS ${quoteIdentifier(name)}`);
  const query = `
    SELECT ${[...values, '_source', '__caudal_line AS _line', '_loaded_at'].join(', ')} FROM ${source(segment)}
    WHERE (${problemSql(columns)}) IS NULL`;
  const result = await connection.run(`COPY (${query}) TO ${quoteLiteral(path)} (FORMAT parquet, COMPRESSION zstd)`);
  const rows = result.rowsChanged;
  if (rows !== segment.rows - bad) {
    throw fail('accounting_imbalance', `Of ${segment.rows} rows, ${bad} broke a rule and ${rows} were written.`);
  }
  const profile = await collectProfile(connection, path, columns);
  return { path, rows, bytes: (await stat(path)).size, first_line: null, profile };
}

/** The quarantined rows of a table, as the reader and the rules above wrote them. */
export async function* quarantineOf(table: ReadTable): AsyncGenerator<QuarantineRow> {
  if (table.quarantine_path === undefined) return;
  for await (const line of linesOf(createReadStream(table.quarantine_path))) {
    if (line !== '') yield JSON.parse(line) as QuarantineRow;
  }
}
