import { rm } from 'node:fs/promises';
import type { Accounting } from '#contract/accounting.ts';
import { newId } from '#kernel/ids.ts';
import type { ReadContext } from '../reader.ts';
import type { Written } from '../write.ts';
import type { ColumnPlan } from './infer.ts';
import { TEXT } from './kinds.ts';
import { type Scan, scanRecords } from './scan.ts';
import { headerRaw, linesAbove, type Survey } from './survey.ts';
import { type CsvSource, Malformed, Misfit } from './typed.ts';
import { writeWidening } from './widening.ts';

export interface PlainTable {
  plans: ColumnPlan[];
  written: Written;
  source_id: string;
  accounting: Accounting;
}

/** The direct way, for files without surprises; undefined when the careful reader is needed. */
export async function readPlainly(survey: Survey, context: ReadContext): Promise<PlainTable | undefined> {
  const { dialect, layout, records } = survey;
  const first = records[layout.first];
  if (first === undefined || !looksPlain(survey)) return undefined;
  const stop = new AbortController();
  const source: CsvSource = {
    path: survey.path,
    delimiter: dialect.delimiter,
    quote: dialect.quote,
    escape: dialect.escape,
    newline: dialect.newline === '\r\n' ? '\r\n' : '\n',
    skip: first.line - 1,
    numbered: false,
    first_line: first.line,
    longest: 0,
    null_values: context.request.options.null_values ?? [],
  };
  const counting = scanRecords(survey.path, {
    offset: first.offset,
    quote: dialect.quote === '' ? -1 : dialect.quote.charCodeAt(0),
    // Where a column has a type, a header among the rows is a misfit and needs no search.
    header: survey.plans.every((plan) => plan.kind === TEXT) ? headerRaw(survey) : undefined,
    signal: stop.signal,
    onProgress: context.progress,
  }).then((scan) => {
    if (!scan.plain && scan.reason !== 'stopped') context.connection.interrupt();
    return scan;
  });
  const source_id = newId();
  try {
    const { written, plans } = await writeWidening(context, source, survey.plans, source_id, undefined, async () => {
      await counting;
      if (await headerComesAgain(survey, first.offset)) throw new Malformed('the header comes again');
    });
    const scan = await counting;
    if (!scan.plain || scan.records !== written.rows) return discard(written);
    return { plans, written, source_id, accounting: accountingOf(survey, scan) };
  } catch (error) {
    stop.abort();
    await counting;
    if (error instanceof Malformed || error instanceof Misfit) return undefined;
    throw error;
  }
}

async function headerComesAgain(survey: Survey, offset: number): Promise<boolean> {
  const header = headerRaw(survey);
  if (header === undefined) return false;
  const signal = new AbortController().signal;
  const scan = await scanRecords(survey.path, { offset, quote: -1, header, signal, onProgress: () => undefined });
  return scan.reason === 'the header comes again';
}

async function discard(written: Written): Promise<undefined> {
  await Promise.all(written.segments.map((segment) => rm(segment.path, { force: true })));
  return undefined;
}

function accountingOf(survey: Survey, scan: Scan): Accounting {
  return { read: scan.records, accepted: scan.records, quarantined: 0, duplicates: 0, skipped: linesAbove(survey) };
}

function looksPlain({ dialect, layout, records, damaged, plans }: Survey): boolean {
  const uniform = dialect.newline === '\n' || dialect.newline === '\r\n';
  const single = Buffer.byteLength(dialect.delimiter) === 1 && !dialect.skip_space;
  const escapes = !dialect.lax && (dialect.quote === '' || dialect.escape === dialect.quote);
  if (!uniform || !single || !escapes || dialect.comment !== '' || damaged) return false;
  if (plans.some((plan) => plan.required)) return false;
  let line = records[layout.first]?.line ?? 1;
  for (const record of records.slice(0, layout.first)) if (record.multiline) return false;
  for (const record of records.slice(layout.first)) {
    if (record.broken || record.odd || record.multiline || record.cells.length !== layout.width || record.line !== line)
      return false;
    if (layout.header !== undefined && record.cells.every((cell, index) => cell === layout.header?.[index]))
      return false;
    line += 1;
  }
  return true;
}
