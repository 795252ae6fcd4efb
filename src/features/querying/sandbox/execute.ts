import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import {
  BIGINT,
  BOOLEAN,
  DOUBLE,
  type DuckDBConnection,
  type DuckDBPreparedStatement,
  type DuckDBResult,
  type DuckDBType,
  type DuckDBValue,
  LIST,
  listValue,
  VARCHAR,
} from '@duckdb/node-api';
import { quoteLiteral } from '#contract/duckdb.ts';
import { linesOf } from '#kernel/lines.ts';
import { columnsText, jsonEncoder, rowTexts, uniqueNames } from '#platform/lake/json.ts';
import { createWorkbook, MOST_COLUMNS } from '#platform/xlsx/workbook.ts';
import { cellExpression, cellKind, cellOf, csvExpression, jsonExpression, selectList, shownType } from './encode.ts';
import { Refusal } from './gate.ts';
import type { Parameter, Parameters, ResultColumn, RunRequest } from './protocol.ts';

export interface Exits {
  /** Bytes of JSON, whose length is told before. */
  out: Writable;
  /** Named pipe for what streams until its end; DuckDB itself writes CSV and Parquet to it. */
  fifo: string;
  openFifo(): Writable;
  /** A second one, both of whose ends are in this process. */
  inner: string;
  openInner(): Readable;
  endInner(): void;
  started(columns: ResultColumn[], truncated: boolean, bytes?: number): void;
}

export class TooManyRows extends Error {}

/**
 * Runs the statement and sends its result out in the format asked for. Nothing here reads a streaming
 * result: its `fetchChunk` answers an error in the middle like the end (node-api 1.5.6), so half a result
 * would pass for the whole. DuckDB's COPY streams as well, and says when it failed.
 */
export async function execute(
  connection: DuckDBConnection,
  sql: string,
  request: RunRequest,
  exits: Exits,
): Promise<void> {
  if (request.format === 'json') return sendJson(connection, sql, request, exits);
  const shape = await describe(connection, sql, request.parameters);
  const columns = columnsOf(shape);
  if (request.format === 'xlsx') return sendWorkbook(connection, sql, request, exits, { ...shape, columns });
  const copying = await prepareCopy(connection, sql, request, shape, exits.fifo);
  exits.started(columns, false);
  await copying.run();
}

export function bind(statement: DuckDBPreparedStatement, parameters: Parameters): void {
  const named = Array.isArray(parameters)
    ? parameters.map((value, index): [number, Parameter] => [index + 1, value])
    : Object.entries(parameters).map(([name, value]): [number, Parameter] => [indexOf(statement, name), value]);
  if (named.length !== statement.parameterCount) {
    throw new Refusal(`The query has ${statement.parameterCount} parameters, but ${named.length} values were given.`);
  }
  for (const [index, value] of named) bindOne(statement, index, value);
}

function indexOf(statement: DuckDBPreparedStatement, name: string): number {
  for (let index = 1; index <= statement.parameterCount; index += 1) {
    if (statement.parameterName(index) === name) return index;
  }
  throw new Refusal(`The query has no parameter $${name}.`);
}

function bindOne(statement: DuckDBPreparedStatement, index: number, value: Parameter): void {
  if (value === null) statement.bindNull(index);
  else if (typeof value === 'string') statement.bindVarchar(index, value);
  else if (typeof value === 'boolean') statement.bindBoolean(index, value);
  else if (Array.isArray(value)) {
    const [items, type] = list(value);
    statement.bindList(index, listValue(items), LIST(type));
  } else if (Number.isSafeInteger(value)) statement.bindBigInt(index, BigInt(value));
  else statement.bindDouble(index, value);
}

function list(values: Parameter[]): [items: DuckDBValue[], type: DuckDBType] {
  const present = values.filter((value) => value !== null);
  if (present.every((value) => typeof value === 'boolean')) return [values as boolean[], BOOLEAN];
  if (present.every((value) => Number.isSafeInteger(value))) {
    return [values.map((value) => (value === null ? null : BigInt(value as number))), BIGINT];
  }
  if (present.every((value) => typeof value === 'number')) return [values as number[], DOUBLE];
  return [values.map((value) => (value === null ? null : String(value))), VARCHAR];
}

async function sendJson(connection: DuckDBConnection, sql: string, request: RunRequest, exits: Exits): Promise<void> {
  const most = request.limit ?? request.max_json_rows;
  const statement = await connection.prepare(`SELECT * FROM (${sql}) LIMIT ${most + 1}`);
  bind(statement, request.parameters);
  const reader = await statement.runAndReadAll();
  const columns = columnsOf(await shapeOf(connection, sql, reader));
  const truncated = reader.currentRowCount > most;
  if (truncated && request.limit === undefined) throw new TooManyRows();
  const rows = Math.min(reader.currentRowCount, most);
  const encoded = reader.getColumns().map((values, index) => {
    const encode = jsonEncoder(reader.columnType(index));
    return values.slice(0, rows).map(encode);
  });
  const names = columns.map(({ name }) => name);
  const body = Buffer.from(
    request.orient === 'columns'
      ? columnsText(names, { encoded, rows })
      : `{"columns":${JSON.stringify(columns)},"rows":[${rowTexts(names, { encoded, rows }).join(',')}],` +
          `"next_cursor":null,"truncated":${truncated}${request.members ? `,${request.members}` : ''}}`,
  );
  exits.started(columns, truncated, body.length);
  await write(exits.out, body);
}

interface Shape {
  names: string[];
  types: DuckDBType[];
}

function columnsOf({ names, types }: Shape): ResultColumn[] {
  return names.map((name, index) => ({ name, type: shownType(types[index] as DuckDBType) }));
}

/** Names and types without running anything: of `SELECT $x` they are known only once values are bound. */
async function describe(connection: DuckDBConnection, sql: string, parameters: Parameters): Promise<Shape> {
  const statement = await connection.prepare(`SELECT * FROM (${sql}) LIMIT 0`);
  bind(statement, parameters);
  return shapeOf(connection, sql, await statement.run());
}

async function shapeOf(
  connection: DuckDBConnection,
  sql: string,
  result: Pick<DuckDBResult, 'columnNames' | 'columnTypes'>,
): Promise<Shape> {
  const shown = result.columnNames();
  const names = shown.some((name) => /_\d+$/.test(name)) ? await namesAsWritten(connection, sql, shown) : shown;
  return { names: uniqueNames(names), types: result.columnTypes() };
}

/** DuckDB renames what repeats in a subquery, also where only the case of letters does; ours are told apart by it. */
async function namesAsWritten(connection: DuckDBConnection, sql: string, shown: string[]): Promise<string[]> {
  const statement = await connection.prepare(sql);
  const names = Array.from({ length: statement.columnCount }, (_, index) => statement.columnName(index));
  // With parameters whose types are still open, one column "unknown" is all it says.
  return names.length === shown.length ? names : shown;
}

const COPY_OPTIONS = {
  csv: `FORMAT csv, HEADER true, DELIMITER ',', QUOTE '"', ESCAPE '"', NULLSTR '', NEW_LINE '\\r\\n'`,
  parquet: 'FORMAT parquet, COMPRESSION zstd',
  ndjson: 'FORMAT json, ARRAY false',
  xlsx: 'FORMAT json, ARRAY false',
};

type CopyFormat = keyof typeof COPY_OPTIONS;

const EXPRESSIONS: Record<CopyFormat, (reference: string, type: DuckDBType, safe: boolean) => string> = {
  csv: csvExpression,
  parquet: (reference) => reference,
  ndjson: jsonExpression,
  xlsx: cellExpression,
};

interface Copying {
  run(): Promise<void>;
}

/** DuckDB's own writers, into a pipe: JavaScript making the same CSV took 4 × as long. */
async function prepareCopy(
  connection: DuckDBConnection,
  sql: string,
  request: RunRequest,
  { names, types }: Shape,
  path: string,
): Promise<Copying> {
  const format = request.format as CopyFormat;
  const references = names.map((_, index) => `c${index}`);
  const expressions = references.map((reference, index) =>
    EXPRESSIONS[format](reference, types[index] as DuckDBType, request.safe),
  );
  const limit = request.limit === undefined ? '' : ` LIMIT ${Math.trunc(request.limit)}`;
  const shown = format === 'xlsx' ? references : names;
  const select = `SELECT ${selectList(shown, expressions)} FROM (${sql}) AS caudal(${references.join(', ')})${limit}`;
  const statement = await connection.prepare(
    `COPY (${select}) TO ${quoteLiteral(path)} (${COPY_OPTIONS[format]}, USE_TMP_FILE false)`,
  );
  bind(statement, request.parameters);
  return {
    async run() {
      try {
        await statement.run();
      } finally {
        // A failed COPY keeps its file open for as long as its statement lives.
        statement.destroySync();
      }
    },
  };
}

/** Rows come as JSON through a pipe within this process, since only COPY both streams and reports its errors. */
async function sendWorkbook(
  connection: DuckDBConnection,
  sql: string,
  request: RunRequest,
  exits: Exits,
  shape: Shape & { columns: ResultColumn[] },
): Promise<void> {
  const { names, types, columns } = shape;
  if (names.length > MOST_COLUMNS) throw new Refusal(`A sheet holds at most ${MOST_COLUMNS} columns.`);
  const copying = await prepareCopy(connection, sql, request, shape, exits.inner);
  const kinds = types.map(cellKind);
  const lines = exits.openInner();
  exits.started(columns, false);
  const copied = copying.run();
  // Reported below; the pipe ends either way.
  copied.catch(exits.endInner);
  const out = exits.openFifo();
  const workbook = createWorkbook(out);
  await workbook.sheet(
    request.title,
    names.map((name, index) => ({ name, kind: kinds[index] ?? 'text' })),
  );
  for await (const rows of batches(lines)) {
    await workbook.rows(rows.map((row) => kinds.map((kind, index) => cellOf(row[`c${index}`], kind))));
  }
  await copied;
  await workbook.end();
  out.end();
  await finished(out);
}

const BATCH = 1000;

async function* batches(lines: Readable): AsyncGenerator<Record<string, unknown>[]> {
  let batch: Record<string, unknown>[] = [];
  for await (const line of linesOf(lines)) {
    batch.push(JSON.parse(line) as Record<string, unknown>);
    if (batch.length === BATCH) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}

async function write(out: Writable, bytes: Buffer): Promise<void> {
  if (!out.write(bytes)) await once(out, 'drain');
}
