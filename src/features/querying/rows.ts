import type { DuckDBResultReader, DuckDBValue } from '@duckdb/node-api';
import { CaudalError, fail, invalid } from '#kernel/errors.ts';
import type { ResultFormat } from '#platform/http/formats.ts';
import type { Engine } from '#platform/lake/engine.ts';
import { columnsText, jsonEncoder, rowTexts } from '#platform/lake/json.ts';
import { openSegments } from '#platform/lake/local.ts';
import { type RowsQuestion, readQuestion } from '#platform/lake/question.ts';
import type { DatasetSnapshot } from '#platform/lake/snapshot.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import { badCursor, type Cursor, questionOf, readCursor, writeCursor } from './cursor.ts';
import { countSql, exportSql, pageSql, type RowsSql, segmentsOfPage, segmentsToOpen } from './rows-query.ts';
import type { Outcome } from './sandbox/outcome.ts';
import type { Sandbox } from './sandbox/sandbox.ts';

export interface RowsDeps {
  engine: Engine;
  objects: Pick<ObjectStore, 'local'>;
  sandbox: Pick<Sandbox, 'export'>;
}

export type RowsParameters = Readonly<Record<string, unknown>>;

export interface Page {
  body: string;
  next_cursor: string | null;
  /** Of the page's first row. */
  offset: number;
  rows: number;
  total: number | undefined;
}

export const DEFAULT_LIMIT = 50;
export const MOST_ROWS = 1000;

/** One page as JSON text. @throws column_not_found, invalid_input, bad_cursor, sql_timeout */
export async function readPage(
  deps: RowsDeps,
  snapshot: DatasetSnapshot,
  parameters: RowsParameters,
  signal: AbortSignal,
): Promise<Page> {
  const question = readQuestion(parameters, snapshot);
  const asked = digest(snapshot, question);
  const after = cursorOf(parameters, snapshot, asked);
  const limit = pageLimit(parameters['limit']);
  const part = segmentsOfPage(snapshot, question, { limit, after });
  const reader = await onSegments(deps, part, question, after, (pathOf) =>
    ask(deps.engine, pageSql(part, pathOf, question, { limit, after }), signal),
  );
  const total = await countRows(deps, snapshot, question, parameters['count'] === true, signal);
  const more = reader.currentRowCount > limit;
  const rows = more ? limit : reader.currentRowCount;
  const columns = reader.getColumns();
  const offset = after?.offset ?? 0;
  const next = more
    ? nextCursor(columns, question, { asked, version: snapshot.version, row: rows - 1, offset: offset + rows })
    : null;
  const encoded = question.columns.map((_, index) => {
    const encode = jsonEncoder(reader.columnType(index));
    return (columns[index] ?? []).slice(0, rows).map(encode);
  });
  const names = question.columns.map(({ name }) => name);
  const body =
    parameters['orient'] === 'columns'
      ? columnsText(names, { encoded, rows })
      : pageText(question, rowTexts(names, { encoded, rows }), { next, version: snapshot.version, total });
  return { body, next_cursor: next, offset, rows, total };
}

function digest(snapshot: DatasetSnapshot, question: RowsQuestion): string {
  const filters = question.conditions.map(({ column, operator, value }) => [column, operator, value]);
  return questionOf([snapshot.id, filters, question.order.map(({ column, descending }) => [column, descending])]);
}

function cursorOf(parameters: RowsParameters, snapshot: DatasetSnapshot, asked: string): Cursor | undefined {
  if (parameters['cursor'] === undefined) return undefined;
  const cursor = readCursor(String(parameters['cursor']));
  if (cursor.question !== asked || cursor.version !== snapshot.version) throw badCursor();
  return cursor;
}

function pageLimit(value: unknown): number {
  if (value === undefined) return DEFAULT_LIMIT;
  if (Number(value) <= MOST_ROWS) return Number(value);
  throw invalid(
    'limit',
    `A page holds at most ${MOST_ROWS} rows.`,
    'maximum',
    'Follow next_cursor, or ask for .ndjson or .csv: those stream everything.',
  );
}

async function onSegments<T>(
  deps: Pick<RowsDeps, 'objects'>,
  snapshot: DatasetSnapshot,
  question: RowsQuestion,
  after: Cursor | undefined,
  work: (pathOf: Parameters<typeof pageSql>[1]) => Promise<T>,
): Promise<T> {
  const files = await openSegments(deps.objects, segmentsToOpen(snapshot, question, after));
  try {
    return await work(files.pathOf);
  } finally {
    await files.release();
  }
}

async function ask(engine: Engine, { sql, parameters }: RowsSql, signal: AbortSignal): Promise<DuckDBResultReader> {
  try {
    return await engine.query(sql, parameters, { signal });
  } catch (error) {
    throw valueError(error);
  }
}

/** A value that looks right and is not (2024-02-30) is found out by its cast. */
function valueError(error: unknown): unknown {
  const message = (error as Error).message;
  const ofChild = error instanceof CaudalError && error.code === 'sql_error';
  if (!ofChild && !/^Conversion Error/.test(message)) return error;
  return fail('invalid_input', message.split('\n')[0]?.replace('Conversion Error: ', '') ?? message, {
    errors: [{ field: 'where', code: 'invalid', message: 'A value does not fit the type of its column.' }],
    cause: error,
  });
}

async function countRows(
  deps: RowsDeps,
  snapshot: DatasetSnapshot,
  question: RowsQuestion,
  wanted: boolean,
  signal: AbortSignal,
): Promise<number | undefined> {
  if (!wanted) return undefined;
  if (question.conditions.length === 0) return snapshot.segments.reduce((sum, { rows }) => sum + rows, 0);
  const reader = await onSegments(deps, snapshot, { ...question, order: [] }, undefined, (pathOf) =>
    ask(deps.engine, countSql(snapshot, pathOf, question), signal),
  );
  return Number(reader.getRows()[0]?.[0] ?? 0);
}

function nextCursor(
  columns: readonly DuckDBValue[][],
  question: RowsQuestion,
  last: { asked: string; version: number; row: number; offset: number },
): string {
  const at = (index: number): DuckDBValue => columns[index]?.[last.row] ?? null;
  const width = question.columns.length;
  return writeCursor({
    version: last.version,
    question: last.asked,
    position: { segment: Number(at(width)), row: Number(at(width + 1)) },
    keys: question.order.map((_, index) => {
      const key = at(width + 2 + index);
      return key === null ? null : String(key);
    }),
    offset: last.offset,
  });
}

function pageText(
  { columns }: RowsQuestion,
  rows: readonly string[],
  { next, version, total }: { next: string | null; version: number; total: number | undefined },
): string {
  const count = total === undefined ? '' : `,"total":${total}`;
  return `{"columns":${JSON.stringify(columns)},"rows":[${rows.join(',')}],"next_cursor":${JSON.stringify(next)},"version":${version}${count}}`;
}

/** All matching rows (or `limit` of them) as a stream. @throws column_not_found, invalid_input, sql_busy */
export async function exportRows(
  deps: RowsDeps,
  snapshot: DatasetSnapshot,
  parameters: RowsParameters,
  format: Exclude<ResultFormat, 'json'>,
  signal: AbortSignal,
): Promise<Outcome> {
  const question = readQuestion(parameters, snapshot);
  const files = await openSegments(deps.objects, segmentsToOpen(snapshot, question, undefined));
  try {
    const { sql, parameters: values } = exportSql(snapshot, files.pathOf, question);
    return await deps.sandbox.export(
      {
        sql,
        parameters: values,
        ...{ directories: [], paths: files.paths, views: [] },
        format,
        orient: 'rows',
        ...(parameters['limit'] === undefined ? {} : { limit: Number(parameters['limit']) }),
        max_json_rows: 0,
        members: '',
        safe: parameters['safe'] === true,
        title: snapshot.name,
      },
      { signal, release: files.release },
    );
  } catch (error) {
    throw valueError(error);
  }
}
