import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { duckdbType, quoteIdentifier, quoteLiteral, tryCast } from '#contract/columns.ts';
import type { QuarantinedRow, ReadTable } from '#contract/load.ts';
import type { Sniffed } from '#contract/reader-options.ts';
import { newId } from '#kernel/ids.ts';
import { kindOfType } from '../csv/infer.ts';
import type { Kind } from '../csv/kinds.ts';
import { columnNames } from '../csv/names.ts';
import type { ReadContext } from '../reader.ts';
import { type Written, writeTable } from '../write.ts';
import { clipRaw, type RowSink } from './sink.ts';
import { typeOf } from './typing.ts';

const FLUSH_CHARACTERS = 256 * 1024;
/** A segment of a stream is merged within seconds and then profiled anew: 4,000 rows took half of a drain's time. */
const PROFILED_OF_STREAM = 1000;

export interface TableSource {
  sink: RowSink;
  sniffed: Sniffed;
  name?: string;
  /** Rows that were refused before they reached the sink (lines that are no JSON). */
  quarantine?: QuarantineFile;
}

/** A column that is there as text. */
export interface TextColumn {
  /** As the file calls it, and as the table does. */
  source: string;
  name: string;
  type: string;
  /** The type was given, so a value may not fit it. */
  given: boolean;
  required: boolean;
  /** Its name in the relation. */
  cell: string;
  /** Cells may carry a value and a text, see `shown`. */
  shown: boolean;
  /** How values of a given type are written in this column; found when it is needed. */
  kind?: Kind;
}

/** A document without rows and without fields: `[]`. */
const NOTHING: Written = { segments: [], columns: [], rows: 0 };

/** Casts what a sink gathered, writes it as a table, and accounts for every row of it. */
export async function writeRows(context: ReadContext, source: TableSource): Promise<ReadTable> {
  const { sink } = source;
  const quarantine = source.quarantine ?? createQuarantine(context);
  const columns = textColumns(context, sink);
  const source_id = newId();
  const before = quarantine.rows;
  // Records that share lines (a document on one line) are numbered instead.
  const rows = csvRelation(sink, columns.length);
  const relation = sink.increasing ? rows : `(SELECT * REPLACE (row_number() OVER () AS line) FROM ${rows})`;
  const written =
    sink.rows === 0 && columns.length === 0
      ? NOTHING
      : await writeTexts(context, {
          relation,
          columns,
          quarantine,
          source_id,
          // Of several sources, each line is told.
          first_line: sink.source !== undefined ? null : firstLine(sink),
          sourced: sink.source !== undefined,
        });
  const refused = quarantine.rows - before;
  return {
    ...(source.name === undefined ? {} : { name: source.name }),
    source_id,
    sniffed: source.sniffed,
    columns: written.columns,
    segments: written.segments,
    accounting: {
      read: sink.rows + quarantine.rows - refused,
      accepted: written.rows,
      quarantined: quarantine.rows,
      duplicates: 0,
      skipped: sink.skipped,
    },
    ...(quarantine.rows > 0 ? { quarantine_path: quarantine.path } : {}),
  };
}

/** Rows without any field still are rows: they show one column, `value`, of NULLs. */
function textColumns(context: ReadContext, sink: RowSink): TextColumn[] {
  if (sink.columns.length === 0 && sink.rows > 0) sink.column('value');
  const names = columnNames(
    sink.columns.map((column) => column.name),
    sink.columns.length,
  );
  return sink.columns.map((column, index) => {
    const name = names[index] ?? column.name;
    const given = givenType(context, name);
    return {
      source: column.name,
      name,
      type: given?.type ?? typeOf(column.typing),
      given: given?.strict ?? false,
      required: given?.required ?? false,
      cell: `c${index}`,
      shown: column.shown,
    };
  });
}

export interface GivenType {
  type: string;
  required: boolean;
  /** What does not fit goes into quarantine. */
  strict: boolean;
}

/**
 * The type a column was given: by the options, or by a declared dataset. An existing inferred dataset only
 * insists on text: a number read and written as text again would not be what the file says.
 */
export function givenType(context: ReadContext, name: string): GivenType | undefined {
  const { options, target } = context.request;
  const key = name.toLowerCase();
  const column = target?.columns.find((candidate) => candidate.name.toLowerCase() === key);
  const required = column?.required ?? false;
  const wanted = Object.entries(options.types ?? {}).find(([wanted_name]) => wanted_name.toLowerCase() === key);
  if (wanted) return { type: wanted[1], required, strict: true };
  if (column && (target?.mode === 'declared' || column.type === 'text')) {
    return { type: column.type, required, strict: target?.mode === 'declared' };
  }
  return undefined;
}

function firstLine(sink: RowSink): number | null {
  if (!sink.increasing) return 1;
  return sink.consecutive ? sink.first_line : null;
}

/** The temporary CSV, all text: `line` (and `source`), `c0`, `c1` … One thread reads it: quoted line breaks are never cut. */
function csvRelation(sink: RowSink, width: number): string {
  const own = sink.source === undefined ? [] : ["'source': 'UUID'"];
  const columns = [
    "'line': 'BIGINT'",
    ...own,
    ...Array.from({ length: width }, (_, index) => `'c${index}': 'VARCHAR'`),
  ];
  const longest = Math.max(2 ** 21, sink.longest * 4 + 1024);
  return `read_csv(${quoteLiteral(sink.path)}, columns = {${columns.join(', ')}}, auto_detect = false, header = false,
    delim = ',', quote = '"', escape = '"', new_line = '\\n', null_padding = true, allow_quoted_nulls = false,
    parallel = false, max_line_size = ${longest}, buffer_size = ${Math.max(longest * 2, 2 ** 23)})`;
}

export interface Texts {
  /** SQL of a relation with `line` and a column per `TextColumn.cell`. */
  relation: string;
  columns: TextColumn[];
  quarantine: QuarantineFile;
  source_id: string;
  /** Line of the first row, if the others follow it one by one. */
  first_line: number | null;
  /** The relation has a column `source` too: its rows belong to several. */
  sourced?: boolean;
}

/** Casts a relation of texts and writes it; rows that do not fit a given type go into quarantine. */
export async function writeTexts(context: ReadContext, texts: Texts): Promise<Written> {
  const { quarantine, source_id } = texts;
  const columns = await withKinds(context, texts);
  // Without it a timestamp with no offset would be read in the machine's zone.
  await context.connection.run("SET TimeZone = 'UTC'");
  const before = quarantine.rows;
  await refuse(context, { ...texts, columns });
  quarantine.flush();
  const refused = quarantine.rows > before;
  const first_line = refused ? null : texts.first_line;
  const cells = columns.map((column) => `${cast(column)} AS ${quoteIdentifier(column.name)}`);
  if (first_line === null) cells.push('line AS _line');
  if (texts.sourced) cells.push('source AS _source');
  const where = refused
    ? ` WHERE ${columns
        .filter((column) => column.given)
        .map(fits)
        .join(' AND ')}`
    : '';
  return await writeTable(context, {
    relation: `SELECT ${cells.join(', ')} FROM ${texts.relation}${where}`,
    columns: columns.map(({ name, type }) => ({ name, type })),
    first_line,
    source_id,
    ...(texts.sourced ? { sourced: true, profiled_rows: PROFILED_OF_STREAM } : {}),
  });
}

/** The value, or the text, of a cell that may carry both. */
function cellText(column: TextColumn, want: 'value' | 'text'): string {
  if (!column.shown) return column.cell;
  const at = `strpos(${column.cell}, chr(31))`;
  // An error value has a text and no value.
  const part = want === 'value' ? `nullif(left(${column.cell}, ${at} - 1), '')` : `substr(${column.cell}, ${at} + 1)`;
  return `CASE WHEN ${at} > 0 THEN ${part} ELSE ${column.cell} END`;
}

function cast(column: TextColumn): string {
  const { type, given } = column;
  if (isText(type)) return cellText(column, 'text');
  const value = cellText(column, 'value');
  if (column.kind)
    return `CASE WHEN ${column.kind.test(`trim(${value})`)} THEN ${column.kind.read(`trim(${value})`)} END`;
  if (type === 'json' && given)
    return `CASE WHEN json_valid(${value}) THEN (${value})::JSON ELSE to_json(${value}) END`;
  // DuckDB's cast of a text to TIMESTAMP drops its offset; that to TIMESTAMPTZ honours it.
  if (type === 'timestamp') return `make_timestamp(epoch_us(CAST(${value} AS TIMESTAMPTZ)))`;
  return given ? tryCast(value, type) : `CAST(${value} AS ${duckdbType(type)})`;
}

const SAMPLE_ROWS = 1000;

/**
 * A given type can be written in several ways (dates day first, decimal commas); which one, a sample says.
 * DuckDB's own casts are no judges: '1.5' becomes the integer 2, and a date loses its time.
 */
async function withKinds(context: ReadContext, { relation, columns }: Texts): Promise<TextColumn[]> {
  const open = columns.filter((column) => column.given && !isText(column.type) && column.type !== 'json');
  if (open.length === 0) return columns;
  const select = `SELECT ${open.map((column) => cellText(column, 'value')).join(', ')} FROM ${relation} LIMIT ${SAMPLE_ROWS}`;
  const rows = (await context.connection.runAndReadAll(select)).getRows();
  const { options } = context.request;
  const conventions = {
    decimal: options.decimal ?? '.',
    date_order: options.date_order ?? 'dmy',
    thousands: options.thousands,
    given: options,
  } as const;
  return columns.map((column) => {
    const at = open.indexOf(column);
    if (at === -1) return column;
    const cells = rows.map((row) => (typeof row[at] === 'string' ? row[at] : undefined));
    const kind = kindOfType(column.type, cells, conventions);
    return kind ? { ...column, kind } : column;
  });
}

/** Whether a given type holds for a cell; a blank text counts as NULL. */
function fits(column: TextColumn): string {
  const empty = `${column.cell} IS NULL`;
  const type_fits = isText(column.type) ? 'true' : `(${cast(column)}) IS NOT NULL`;
  return column.required ? `(NOT (${empty}) AND ${type_fits})` : `(${empty} OR ${type_fits})`;
}

/** Puts the rows that do not fit the given types into quarantine. */
async function refuse(context: ReadContext, { relation, columns, quarantine }: Texts): Promise<void> {
  const given = columns.filter((column) => column.given && (column.required || !isText(column.type)));
  if (given.length === 0) return;
  const wrong = given.map((column) => `WHEN NOT ${fits(column)} THEN ${columns.indexOf(column)}`);
  const shown_texts = columns.map((column) => cellText(column, 'text'));
  const raw = columns.map((column, index) => `${quoteLiteral(column.source)}, ${shown_texts[index]}`);
  const rows = await context.connection.stream(
    `SELECT line, wrong, raw, cells[wrong + 1] AS value FROM (
       SELECT line, CASE ${wrong.join(' ')} END AS wrong, CAST(json_object(${raw.join(', ')}) AS VARCHAR) AS raw,
         [${shown_texts.join(', ')}] AS cells FROM ${relation}) WHERE wrong IS NOT NULL`,
  );
  for await (const batch of rows.yieldRowsJs()) {
    for (const [at_line, wrong_column, raw_text, value] of batch) {
      const column = columns[Number(wrong_column)];
      quarantine.add({
        line: Number(at_line),
        column: column?.name ?? null,
        reason: value === null ? 'a required value is missing' : `not a valid ${column?.type}`,
        value: value === null ? null : String(value),
        raw: clipRaw(String(raw_text)),
      });
    }
  }
}

function isText(type: string): boolean {
  return type === 'text' || type === 'file';
}

export interface QuarantineFile {
  readonly path: string;
  readonly rows: number;
  add(row: QuarantinedRow): void;
  /** Must be called before the file is used. */
  flush(): void;
}

/** NDJSON of the rows that were refused. */
export function createQuarantine(context: ReadContext): QuarantineFile {
  const path = join(context.request.out_dir, `${newId()}.quarantine.ndjson`);
  let pending = '';
  const file = {
    path,
    rows: 0,
    add(row: QuarantinedRow): void {
      // PostgreSQL, where these rows go, holds no NUL in a text.
      const clean = { ...row, raw: visibleNul(row.raw), value: row.value === null ? null : visibleNul(row.value) };
      pending += `${JSON.stringify(clean)}\n`;
      file.rows += 1;
      if (pending.length > FLUSH_CHARACTERS) file.flush();
    },
    flush(): void {
      if (pending !== '') appendFileSync(path, pending, { mode: 0o600 });
      pending = '';
    },
  };
  return file;
}

function visibleNul(text: string): string {
  return text.replaceAll('\0', '\u2400');
}
