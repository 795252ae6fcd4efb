import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { ReadTable } from '#contract/load.ts';
import type { Sniffed } from '#contract/reader-options.ts';
import { fail } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import type { OpenedFile, ReadContext, Reader } from '../reader.ts';
import { createRowSink, type RowSink } from '../rows/sink.ts';
import { writeRows } from '../rows/table.ts';
import { readColumns } from './column-wise.ts';
import { readNdjson } from './ndjson.ts';
import { elements, members, outline } from './outline.ts';
import { planRecords, SAMPLE_BYTES, SAMPLE_RECORDS } from './plan.ts';
import { createRecordReader } from './record.ts';
import { documentError, JsonFault, peek, scanValue, unexpected } from './scan.ts';
import { type Shape, shapeOf } from './shape.ts';
import { utf8Source } from './utf8.ts';
import { openWindow, type Window } from './window.ts';

const PROGRESS_ROWS = 5000;

/**
 * Reads one JSON document (RFC 8259, checked to its last byte) as a table; where its rows are: see
 * `shapeOf`; which of their members become columns: see `planRecords`. A lonely scalar is one row with one
 * column, `value`. A top-level array is read in one pass, anything else is outlined first.
 * @throws malformed_json, json_too_deep, value_too_large, too_many_columns
 */
export const readJson: Reader = async (file, context) => {
  const source = await utf8Source(file, context.temp_dir);
  const descriptor = openSync(source.path, 'r');
  try {
    const window = (start: number): Window =>
      openWindow(descriptor, { start, max_record_bytes: context.request.limits.max_value_bytes });
    const first = window(source.start);
    const document: Document = { file, context, window, descriptor };
    return await guarded(first, async () => {
      if (peek(first) === 0x5b) {
        const start = first.offset + first.pos;
        return await readRowsOf(document, { kind: 'rows', start, end: -1, features: false, dropped: [] });
      }
      if (peek(first) === -1) throw fail('empty_file', 'The file holds nothing but blanks.');
      const whole = outline(first);
      if (isAnother(first, context)) return await readNdjson(file, context);
      return await readRowsOf(document, shapeOf(whole));
    });
  } finally {
    closeSync(descriptor);
  }
};

interface Document {
  file: OpenedFile;
  context: ReadContext;
  descriptor: number;
  /** A new view of the file from a position on. */
  window(start: number): Window;
}

async function guarded<T>(window: Window, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof JsonFault ? documentError(window, error) : error;
  }
}

/** What follows the document: nothing, or (true) another value on a line of its own, unless JSON was asked for. */
function isAnother(window: Window, context: ReadContext): boolean {
  const end = window.pos;
  window.mark = end;
  const byte = peek(window);
  if (!window.utf8) throw new JsonFault('it holds bytes that are not UTF-8', window.pos);
  if (byte === -1) return false;
  const on_next_line = window.buffer.subarray(window.mark, window.pos).includes(10);
  const is_container = byte === 0x7b || byte === 0x5b;
  if (context.request.options.format !== 'json' && on_next_line && is_container) return true;
  throw new JsonFault('something follows the end of the document', window.pos);
}

async function readRowsOf(document: Document, shape: Shape): Promise<ReadTable[]> {
  const { context } = document;
  const sink = createRowSink(join(context.temp_dir, newId()), context.request.limits.max_columns);
  try {
    if (shape.kind === 'columns') {
      await readColumns(document.descriptor, shape, sink, context, document.file.size);
    } else {
      await readRecords(document, shape, sink);
    }
  } finally {
    sink.close();
  }
  if (shape.kind === 'rows' && shape.dropped.length > 0) {
    sink.skip(1, `beside the rows, not part of them: ${shape.dropped.slice(0, 20).join(', ')}`);
  }
  const sniffed: Sniffed = { format: 'json', encoding: 'utf-8' };
  return [await writeRows(context, { sink, sniffed })];
}

type RecordShape = Exclude<Shape, { kind: 'columns' }>;

async function readRecords(document: Document, shape: RecordShape, sink: RowSink): Promise<void> {
  const { context } = document;
  const features = shape.kind !== 'indexed' && shape.features;
  const sample = sampleOf(document.window(shape.start), shape);
  const plan = planRecords(sample, features, context.request.options);
  const reader = createRecordReader(sink, plan);
  const window = document.window(shape.start);
  await guarded(window, async () => {
    let header = (plan.positional?.length ?? 0) > 0;
    let records = 0;
    for (const key of recordsOf(window, shape)) {
      scanValue(window);
      if (header) header = false;
      else reader.read(window.buffer, window.mark, window.pos, lineOf(window, shape), key);
      records += 1;
      if (records % PROGRESS_ROWS === 0) {
        context.progress(window.offset + window.pos, sink.rows);
        await setImmediate();
      }
    }
    if (shape.end !== -1) return;
    if (isAnother(window, context)) throw unexpected(window, peek(window), 'the end of the document');
  });
}

function lineOf(window: Window, shape: RecordShape): number {
  return shape.kind === 'record' ? 1 : window.lineAt(window.mark);
}

/** Stands before each record in turn, with the mark set, and yields the key it stands under if that is data. */
function* recordsOf(window: Window, shape: RecordShape): Generator<string | undefined> {
  if (shape.kind === 'record') {
    peek(window);
    window.mark = window.pos;
    yield undefined;
  } else if (shape.kind === 'indexed') {
    peek(window);
    for (const key of members(window)) {
      peek(window);
      window.mark = window.pos;
      yield shape.keep_keys ? key : undefined;
    }
  } else {
    peek(window);
    for (const _byte of elements(window)) yield undefined;
  }
}

/** The first records as JavaScript sees them: good enough to look at their keys. */
function sampleOf(window: Window, shape: RecordShape): unknown[] {
  const sample: unknown[] = [];
  let bytes = 0;
  try {
    for (const _key of recordsOf(window, shape)) {
      scanValue(window);
      bytes += window.pos - window.mark;
      if (bytes > SAMPLE_BYTES && sample.length > 0) return sample;
      sample.push(JSON.parse(window.buffer.toString('utf8', window.mark, window.pos)));
      if (sample.length === SAMPLE_RECORDS) return sample;
    }
  } catch (error) {
    // The same fault is met again, and reported, when the records are read.
    if (!(error instanceof JsonFault)) throw error;
  }
  return sample;
}
