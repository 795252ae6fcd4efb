import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { DuckDBConnection } from '@duckdb/node-api';
import { quoteIdentifier, quoteLiteral, tryCast } from '#contract/columns.ts';
import { fail } from '#kernel/errors.ts';
import { linesOf } from '#kernel/lines.ts';
import { collectProfile } from '#platform/lake/profile.ts';
import { foldName } from '#platform/lake/schema.ts';
import { conformColumns } from '../conform-sql.ts';
import { inspectExpression, wrapExpression } from './expression.ts';
import type { Misfit, ReplayMessage, ReplayRequest } from './protocol.ts';
import { type Dialect, type RawRecord, splitRecord } from './record.ts';
import { textToValue } from './value-sql.ts';

/** What a fix may refer to beside the columns. A column of the dataset with such a name comes first. */
const HELPERS = ['_fields', '_raw', '_line'] as const;

/**
 * Takes the records apart, applies the fixes to their texts, casts to the target's types, checks the
 * declared rules, and writes what fits as a segment. Runs in the child: the fixes are a stranger's SQL.
 *
 * @throws sql_syntax, sql_refused, sql_error, column_not_found
 */
export async function evaluate(connection: DuckDBConnection, request: ReplayRequest): Promise<ReplayMessage> {
  const named = await checkFixes(connection, request);
  await loadRecords(connection, request);
  await lockDown(connection, request);
  await run(connection, `CREATE TABLE texts AS ${textsSql(request)}`);
  await explainFailure(request, () => run(connection, `CREATE TABLE fixed AS ${fixedSql(request, named)}`));
  await run(connection, `CREATE TABLE judged AS ${judgedSql(request)}`);
  return write(connection, request);
}

async function run(connection: DuckDBConnection, sql: string): Promise<void> {
  await connection.run(sql);
}

/** @returns what each fix refers to */
async function checkFixes(connection: DuckDBConnection, request: ReplayRequest): Promise<Set<string>> {
  const names = new Set<string>();
  for (const [column, expression] of Object.entries(request.fix)) {
    if (!request.target.some(({ name }) => name === column)) {
      throw fail('column_not_found', `There is no column "${column}" to fix.`);
    }
    const sql = `SELECT ${wrapExpression(expression)}`;
    const result = await connection.runAndReadAll('SELECT json_serialize_sql($1::VARCHAR)', [sql]);
    const tree: unknown = JSON.parse(String(result.getRows()[0]?.[0]));
    for (const name of inspectExpression(tree, column)) names.add(name);
  }
  return names;
}

async function loadRecords(connection: DuckDBConnection, request: ReplayRequest): Promise<void> {
  const { sniffed, columns, out_dir } = request;
  const dialect: Dialect = {
    delimiter: sniffed.delimiter ?? (sniffed.format === 'tsv' ? '\t' : ','),
    quote: sniffed.quote ?? '"',
    escape: sniffed.escape ?? sniffed.quote ?? '"',
  };
  const names = columns.map(({ physical }) => physical);
  const path = join(out_dir, 'split.ndjson');
  const lines = linesOf(createReadStream(request.records_path));
  const split = async function* (): AsyncGenerator<string> {
    for await (const line of lines) {
      if (line !== '') yield `${JSON.stringify(splitRecord(JSON.parse(line) as RawRecord, names, dialect))}\n`;
    }
  };
  await pipeline(Readable.from(split()), createWriteStream(path));
  await run(
    connection,
    `CREATE TABLE records AS SELECT * FROM read_json(${quoteLiteral(path)}, format = 'newline_delimited',
       maximum_object_size = 16777216,
       columns = {n: 'BIGINT', line: 'BIGINT', raw: 'VARCHAR', fields: 'VARCHAR[]', surplus: 'INTEGER', problem: 'VARCHAR'})`,
  );
}

/** In this order: nothing but the child's own directory can be opened any more, and no setting changed. */
async function lockDown(connection: DuckDBConnection, { out_dir }: ReplayRequest): Promise<void> {
  await run(connection, `SET allowed_directories = [${quoteLiteral(out_dir)}]`);
  await run(connection, 'SET enable_external_access = false');
  await run(connection, 'SET lock_configuration = true');
}

/** Every column of the dataset as text, by position in the record; NULL where the source had none. */
function textsSql({ columns, target }: ReplayRequest): string {
  const position = new Map(columns.map(({ name }, index) => [name, index + 1]));
  const texts = target.map(({ name }) => {
    const at = position.get(name);
    return `${at === undefined ? 'NULL::VARCHAR' : `fields[${at}]`} AS ${quoteIdentifier(name)}`;
  });
  const taken = new Set(target.map(({ name }) => foldName(name)));
  const helpers = HELPERS.filter((name) => !taken.has(name)).map((name) => `${name.slice(1)} AS ${name}`);
  return `SELECT n AS __n, line AS __line, surplus AS __surplus, problem AS __problem,
    ${[...helpers, ...texts].join(', ')} FROM records`;
}

/** Columns after the fixes as value0…, and as text (for reports) as text0…; whose field counts are wrong, too. */
function fixedSql({ target, fix, sniffed }: ReplayRequest, named: Set<string>): string {
  const values = target.flatMap(({ name, type }, index) => {
    const expression = fix[name];
    const text = expression === undefined ? quoteIdentifier(name) : `CAST(${wrapExpression(expression)} AS VARCHAR)`;
    const value =
      expression === undefined ? textToValue(text, type, sniffed) : tryCast(wrapExpression(expression), type);
    return [`${value} AS value${index}`, `${text} AS text${index}`];
  });
  const shortIsMeant = Object.keys(fix).length > 0;
  const longIsMeant = named.has('_fields') || named.has('_raw');
  const miscounted = `CASE
    WHEN __surplus < 0 AND NOT ${shortIsMeant} THEN format('{} fields too few', -__surplus)
    WHEN __surplus > 0 AND NOT ${longIsMeant} THEN format('{} fields too many', __surplus) END`;
  return `SELECT __n, __line, coalesce(__problem, ${miscounted}) AS __problem, ${values.join(', ')} FROM texts`;
}

/** The first thing that is wrong with each record, or NULL. */
function judgedSql({ target, declared }: ReplayRequest): string {
  const branches = [`WHEN __problem IS NOT NULL THEN ${misfit('NULL', '__problem', 'NULL')}`];
  for (const [index, { name, type }] of target.entries()) {
    const wrong = misfit(quoteLiteral(name), quoteLiteral(`not a valid ${type}`), `text${index}`);
    branches.push(`WHEN nullif(trim(text${index}), '') IS NOT NULL AND value${index} IS NULL THEN ${wrong}`);
  }
  const physical = target.map(({ type }, index) => ({ name: `value${index}`, type }));
  const rules = (declared ?? []).flatMap((column) => {
    const index = target.findIndex(({ name }) => name === column.name);
    const [conformed] = index < 0 ? [] : conformColumns(physical, [{ ...column, name: `value${index}` }]);
    return (conformed?.rules ?? []).map(
      ({ broken, reason }) =>
        `WHEN ${broken} THEN ${misfit(quoteLiteral(column.name), quoteLiteral(reason), `text${index}`)}`,
    );
  });
  const judged = `CASE ${[...branches, ...rules].join(' ')} END`;
  return `SELECT __n, __line, ${judged} AS misfit, ${target.map((_, index) => `value${index}`).join(', ')} FROM fixed`;
}

function misfit(column: string, reason: string, value: string): string {
  return `{'column': CAST(${column} AS VARCHAR), 'reason': CAST(${reason} AS VARCHAR), 'value': CAST(${value} AS VARCHAR)}`;
}

async function write(connection: DuckDBConnection, request: ReplayRequest): Promise<ReplayMessage> {
  const rejected = await connection.runAndReadAll(
    `SELECT __n, misfit['column'], misfit['reason'], misfit['value'] FROM judged WHERE misfit IS NOT NULL ORDER BY __n`,
  );
  const misfits = rejected.getRows().map(
    ([n, column, reason, value]): Misfit => ({
      n: Number(n),
      column: column === null ? null : String(column),
      reason: String(reason),
      value: value === null ? null : String(value).slice(0, 1000),
    }),
  );
  const taken = await connection.runAndReadAll('SELECT __n FROM judged WHERE misfit IS NULL ORDER BY __n');
  const accepted = taken.getRows().map(([n]) => Number(n));
  if (accepted.length === 0) return { type: 'done', accepted, misfits, segment: null };
  const path = join(request.out_dir, 'segment.parquet');
  const defaults = conformColumns(
    request.target.map(({ type }, index) => ({ name: `value${index}`, type })),
    request.target.map(({ name, type }, index) => ({
      ...request.declared?.find((column) => column.name === name),
      ...{ name: `value${index}`, type },
    })),
  );
  const values = request.target.map(
    ({ name }, index) => `${defaults[index]?.value ?? `value${index}`} AS ${quoteIdentifier(name)}`,
  );
  const loadedAt = new Date(request.loaded_at).toISOString().replace('T', ' ').replace('Z', '');
  await run(
    connection,
    `COPY (SELECT ${values.join(', ')}, ${quoteLiteral(request.source_id)}::UUID AS _source, __line AS _line,
                  TIMESTAMP ${quoteLiteral(loadedAt)} AS _loaded_at
           FROM judged WHERE misfit IS NULL ORDER BY __n) TO ${quoteLiteral(path)} (FORMAT parquet, COMPRESSION zstd)`,
  );
  const profile = await collectProfile(connection, path, request.target);
  return { type: 'done', accepted, misfits, segment: { path, profile, bytes: (await stat(path)).size } };
}

/** What goes wrong while the fixes run is the fixes' fault: said in DuckDB's words, without its stack. */
async function explainFailure(request: ReplayRequest, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const message = (error as Error).message.split('\n')[0]?.slice(0, 500) ?? '';
    const columns = Object.keys(request.fix).join(', ');
    throw fail('sql_error', `The fix (${columns}) failed: ${message}`, {
      hint: 'Columns are texts: cast with TRY_CAST where a value may not fit.',
    });
  }
}
