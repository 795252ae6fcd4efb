import { isUtf8 } from 'node:buffer';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Accounting } from '#contract/accounting.ts';
import { extensionOf } from '#contract/loadable.ts';
import type { ReaderOptions } from '#contract/reader-options.ts';
import { fail } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import type { OpenedFile, ReadContext } from '../reader.ts';
import { sniffDialect } from './dialect.ts';
import { detectEncoding, type Encoding, lateEncoding, namedEncoding, transcode } from './encoding.ts';
import type { Dialect } from './grammar.ts';
import { type ColumnPlan, type Conventions, inferColumns } from './infer.ts';
import { findLayout, type Layout } from './layout.ts';
import { columnNames } from './names.ts';
import { parseSample, readBytes, type SampleRecord } from './sample.ts';
import { applyTarget } from './target.ts';

const HEAD_BYTES = 1 << 20;
const INFER_BYTES = 256 * 1024;
const SPOTS = 8;
const SPOT_BYTES = 16 * 1024;
const MOST_RECORDS = 5000;

/** Everything that was found out about a text before it is read. */
export interface Survey {
  path: string;
  size: number;
  encoding: string;
  damaged: boolean;
  dialect: Dialect;
  layout: Layout;
  records: SampleRecord[];
  names: string[];
  plans: ColumnPlan[];
  conventions: Conventions;
}

/** Samples the file; undefined when there is nothing but blank lines. @throws undecodable_text, too_many_columns */
export async function surveyFile(
  file: OpenedFile,
  context: ReadContext,
  found?: Encoding,
): Promise<Survey | undefined> {
  const { options } = context.request;
  const head = readBytes(file.path, 0, HEAD_BYTES);
  const encoding =
    found ?? (options.encoding === undefined ? detectEncoding(head) : namedEncoding(options.encoding, head));
  const text = await asUtf8(file, encoding, context);
  const complete = text.size <= HEAD_BYTES;
  const sample = text.path === file.path ? head.subarray(encoding.bom) : readBytes(text.path, 0, HEAD_BYTES);
  const start = encoding.name === 'utf-8' ? encoding.bom : 0;
  return survey(sample, complete, start, { ...text, encoding: encoding.name }, file, context);
}

function survey(
  sample: Buffer,
  complete: boolean,
  start: number,
  text: { path: string; size: number; damaged: boolean; encoding: string },
  file: OpenedFile,
  context: ReadContext,
): Survey | undefined {
  const { options, limits } = context.request;
  const separator = /^sep=(.)\r?\n/.exec(sample.toString('latin1', 0, 8));
  const skip = options.skip ?? (separator ? 1 : 0);
  const lines = skipLines(sample, skip);
  const given = separator && options.delimiter === undefined ? { ...options, delimiter: separator[1] ?? ',' } : options;
  const body = sample.subarray(lines);
  const dialect = sniffDialect(body, complete, given, hintOf(file, options.format));
  const records = parseSample(body.subarray(0, INFER_BYTES), dialect, {
    complete: complete && body.length <= INFER_BYTES,
    most: MOST_RECORDS,
  }).map((record) => ({
    ...record,
    line: record.line + skip,
    offset: record.offset + lines + start,
    end: record.end + lines + start,
  }));
  if (records.length === 0) return undefined;
  const layout = findLayout(records, options);
  if (layout.width > limits.max_columns) {
    throw fail('too_many_columns', `The file has ${layout.width} columns; at most ${limits.max_columns} are read.`, {
      hint: 'Turn the table around, or split it.',
    });
  }
  const names = columnNames(layout.header ?? [], layout.width);
  const cells = records
    .slice(layout.first)
    .filter((record) => !record.comment && !record.broken && record.cells.length <= layout.width);
  const rows = [...cells.map((record) => record.cells), ...spots(text, dialect, layout.width, complete)];
  const { plans, conventions } = inferColumns(names, rows, givenConventions(options), dialect.delimiter);
  return {
    ...text,
    dialect,
    layout,
    records,
    names,
    plans: applyTarget(plans, rows, conventions, context.request),
    conventions,
  };
}

/** What the caller said about numbers and dates. */
export function givenConventions(options: ReaderOptions): Conventions['given'] {
  const { decimal, thousands, date_order, null_values } = options;
  return {
    ...(decimal === undefined ? {} : { decimal }),
    ...(thousands === undefined ? {} : { thousands }),
    ...(date_order === undefined ? {} : { date_order }),
    ...(null_values === undefined ? {} : { null_values }),
  };
}

function hintOf(file: OpenedFile, format: string | undefined): string | undefined {
  const extension = extensionOf(file.filename);
  if (format === 'tsv' || extension === 'tsv' || extension === 'tab') return '\t';
  return extension === 'psv' ? '|' : undefined;
}

function skipLines(sample: Buffer, count: number): number {
  let at = 0;
  for (let left = count; left > 0; left -= 1) {
    const feed = sample.indexOf(10, at);
    if (feed < 0) return sample.length;
    at = feed + 1;
  }
  return at;
}

/** Rows from the middle and the end of a large file, so that what only comes later is seen at once. */
function spots(text: { path: string; size: number }, dialect: Dialect, width: number, complete: boolean): string[][] {
  if (complete) return [];
  const rows: string[][] = [];
  for (let spot = 1; spot <= SPOTS; spot += 1) {
    const at = Math.floor(((text.size - SPOT_BYTES) * spot) / SPOTS);
    const bytes = readBytes(text.path, at, SPOT_BYTES);
    const from = bytes.indexOf(10) + 1;
    const found = parseSample(bytes.subarray(from), dialect, { complete: false, most: 200 });
    for (const record of found)
      if (!record.broken && !record.comment && record.cells.length === width) rows.push(record.cells);
  }
  return rows;
}

async function asUtf8(
  file: OpenedFile,
  encoding: Encoding,
  context: ReadContext,
): Promise<{ path: string; size: number; damaged: boolean }> {
  if (encoding.name === 'utf-8') return { path: file.path, size: file.size, damaged: false };
  const path = join(context.temp_dir, `${newId()}.utf8`);
  const damaged = await transcode(file.path, path, encoding);
  return { path, size: (await stat(path)).size, damaged };
}

/** Lines above the first record that are no header. */
export function linesAbove({ records, layout }: Survey): Accounting['skipped'] {
  return records
    .slice(0, layout.first)
    .filter((record, index) => index < layout.top || record.comment)
    .slice(0, 100)
    .map((record) => ({ line: record.line, why: record.comment ? 'a comment' : 'a title above the header' }));
}

/** The header line as it is written, without its line end; undefined when it has several, or is too short to be told from data. */
export function headerRaw({ path, layout, records }: Survey): Buffer | undefined {
  const row = records[layout.top];
  if (layout.header === undefined || row === undefined || layout.first - layout.top !== 1) return undefined;
  const raw = readBytes(path, row.offset, row.end - row.offset);
  let end = raw.length;
  while (end > 0 && (raw[end - 1] === 10 || raw[end - 1] === 13)) end -= 1;
  return end >= 3 ? raw.subarray(0, end) : undefined;
}

/** A file that begins in ASCII may turn out, far below its sample, not to be UTF-8 after all. */
export function encodingFoundLate(survey: Survey, context: ReadContext): Encoding | undefined {
  if (context.request.options.encoding !== undefined || survey.encoding !== 'utf-8') return undefined;
  if (readBytes(survey.path, 0, HEAD_BYTES).some((byte) => byte > 127)) return undefined;
  for (let position = HEAD_BYTES; position < survey.size; position += HEAD_BYTES) {
    const bytes = readBytes(survey.path, position, HEAD_BYTES);
    const lines = bytes.subarray(bytes.indexOf(10) + 1, bytes.lastIndexOf(10) + 1);
    if (!isUtf8(lines)) return lateEncoding(lines);
  }
  return undefined;
}
