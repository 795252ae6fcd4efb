import { setImmediate } from 'node:timers/promises';
import { fail } from '#kernel/errors.ts';
import type { ReadContext } from '../reader.ts';
import type { RowSink } from '../rows/sink.ts';
import { cellText } from './cells.ts';
import { elements, members } from './outline.ts';
import { peek, scanValue } from './scan.ts';
import type { Shape } from './shape.ts';
import { openWindow, type Window } from './window.ts';

/** Shared by the cursors over all columns. */
const WINDOWS_BYTES = 16 * 1024 * 1024;
const YIELD_ROWS = 5000;

/**
 * Reads `{"a": [1, 2], "b": [3, 4]}` or `{"a": {"0": 1, "1": 2}, …}` by rows: one cursor per column walks
 * the file, so a file of any size takes the same memory.
 */
export async function readColumns(
  descriptor: number,
  shape: Extract<Shape, { kind: 'columns' }>,
  sink: RowSink,
  context: ReadContext,
  file_bytes: number,
): Promise<void> {
  const { max_columns, max_value_bytes } = context.request.limits;
  if (shape.columns.length > max_columns)
    throw fail('too_many_columns', `The file has more than ${max_columns} columns.`);
  const chunk = Math.max(4096, Math.min(2 ** 18, Math.floor(WINDOWS_BYTES / shape.columns.length)));
  const cursors = shape.columns.map(({ name, start, end }) => {
    const window = openWindow(descriptor, { start, end, chunk, max_record_bytes: max_value_bytes });
    peek(window);
    return { window, values: shape.keyed ? valuesOf(window) : elements(window), index: sink.column(name) };
  });
  for (let row = 1; row <= shape.rows; row++) {
    const cells: (string | undefined)[] = [];
    for (const { window, values, index } of cursors) {
      values.next();
      scanValue(window);
      const column = sink.columns[index];
      if (column) cells[index] = cellText(window.buffer, window.mark, window.pos, column.typing);
    }
    sink.row(row, cells, cells.length);
    if (row % YIELD_ROWS === 0) {
      context.progress(Math.round((row / shape.rows) * file_bytes), row);
      await setImmediate();
    }
  }
}

function* valuesOf(window: Window): Generator<void> {
  for (const _key of members(window)) {
    peek(window);
    window.mark = window.pos;
    yield;
  }
}
