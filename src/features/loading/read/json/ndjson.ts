import { isUtf8 } from 'node:buffer';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fail } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import type { ReadContext, Reader } from '../reader.ts';
import { clipRaw, createRowSink } from '../rows/sink.ts';
import { createQuarantine, type QuarantineFile, writeRows } from '../rows/table.ts';
import { bufferWindow } from './looks-like.ts';
import { planRecords, SAMPLE_BYTES, SAMPLE_RECORDS } from './plan.ts';
import { createRecordReader } from './record.ts';
import { JsonFault, MAX_DEPTH, peek, scanValue } from './scan.ts';
import { utf8Source } from './utf8.ts';
import { openWindow, type Window } from './window.ts';

const PROGRESS_LINES = 5000;

/**
 * Reads one JSON value per line (objects, mostly). A line that is none goes into quarantine with its
 * number, the reason and its text; blank lines are no records; RFC 7464's record separators are let pass.
 * @throws malformed_json when not a single line is JSON, value_too_large, too_many_columns
 */
export const readNdjson: Reader = async (file, context) => {
  const source = await utf8Source(file, context.temp_dir);
  const descriptor = openSync(source.path, 'r');
  const sink = createRowSink(join(context.temp_dir, newId()), context.request.limits.max_columns);
  const quarantine = createQuarantine(context);
  try {
    const open = (): Window =>
      openWindow(descriptor, { start: source.start, max_record_bytes: context.request.limits.max_value_bytes });
    const plan = planRecords(sampleLines(open()), false, context.request.options);
    const reader = createRecordReader(sink, plan);
    let header = (plan.positional?.length ?? 0) > 0;
    const window = open();
    for (const line of lines(window)) {
      if (line.number % PROGRESS_LINES === 0) await breathe(context, window, sink.rows);
      if (line.start === line.end) {
        sink.skip(line.number, 'blank line');
        continue;
      }
      const fault = faultOf(window, line);
      if (fault !== undefined) refuse(quarantine, window, line, fault);
      else if (header) header = false;
      else reader.read(window.buffer, line.start, line.end, line.number);
    }
  } finally {
    sink.close();
    closeSync(descriptor);
  }
  if (sink.rows === 0 && quarantine.rows > 0) {
    throw fail('malformed_json', `None of the file's ${quarantine.rows} lines is valid JSON.`, {
      hint: 'NDJSON has one JSON value per line. If the file is one JSON document, name it .json.',
    });
  }
  return [await writeRows(context, { sink, quarantine, sniffed: { format: 'ndjson', encoding: 'utf-8' } })];
};

async function breathe(context: ReadContext, window: Window, rows: number): Promise<void> {
  context.progress(window.offset + window.pos, rows);
  await setImmediate();
}

/** A line's place in the window's buffer, without the blanks around it. */
interface Line {
  start: number;
  end: number;
  number: number;
}

function* lines(window: Window): Generator<Line> {
  for (let number = 1; ; number++) {
    window.mark = window.pos;
    const newline = findNewline(window);
    const end = newline === -1 ? window.end : newline;
    if (newline === -1 && end === window.mark) return;
    yield trimmed(window.buffer, window.mark, end, number);
    if (newline === -1) return;
    window.pos = newline + 1;
  }
}

function findNewline(window: Window): number {
  let from = window.pos;
  for (;;) {
    const at = window.buffer.indexOf(10, from);
    if (at !== -1 && at < window.end) return at;
    from = window.end - window.mark;
    if (!window.refill()) return -1;
  }
}

const RECORD_SEPARATOR = 0x1e;

function trimmed(buffer: Buffer, from: number, until: number, number: number): Line {
  let start = from;
  let end = until;
  while (start < end && isBlank(buffer[start])) start++;
  while (end > start && isBlank(buffer[end - 1])) end--;
  return { start, end, number };
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0d || byte === 0x09 || byte === RECORD_SEPARATOR;
}

/** What is wrong with a line, in words; undefined when it is one JSON value. */
function faultOf(window: Window, line: Line): string | undefined {
  if (!window.utf8 && !isUtf8(window.buffer.subarray(line.start, line.end))) return 'not UTF-8';
  const view = bufferWindow(window.buffer, line.start, line.end);
  try {
    scanValue(view);
    if (peek(view) === -1) return undefined;
    return `not valid JSON: something follows the value (byte ${view.pos - line.start + 1})`;
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    if (error.deep) return `nested more than ${MAX_DEPTH} deep`;
    return `not valid JSON: ${error.message} (byte ${error.index - line.start + 1})`;
  }
}

function refuse(quarantine: QuarantineFile, window: Window, line: Line, reason: string): void {
  const raw = clipRaw(window.buffer.toString('utf8', line.start, line.end));
  quarantine.add({ line: line.number, column: null, reason, value: null, raw });
}

function sampleLines(window: Window): unknown[] {
  const sample: unknown[] = [];
  for (const line of lines(window)) {
    if (line.start < line.end && faultOf(window, line) === undefined) {
      sample.push(JSON.parse(window.buffer.toString('utf8', line.start, line.end)));
    }
    if (sample.length === SAMPLE_RECORDS || window.offset + line.end > SAMPLE_BYTES) return sample;
  }
  return sample;
}
