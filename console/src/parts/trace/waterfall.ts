import type { TraceSpan } from '../../../../src/contract/telemetry.ts';

export interface WaterfallRow {
  span: TraceSpan;
  depth: number;
  /** Share of the trace's length, 0–1. */
  left: number;
  width: number;
  /** Spans below it, at any depth. */
  below: number;
  /** The span it belongs to is not there. */
  orphan: boolean;
}

export interface Waterfall {
  rows: WaterfallRow[];
  length_ns: number;
}

const FRACTION = /\.(\d+)/;

/** RFC 3339 with up to nine decimals, in nanoseconds since `base` (ms); Date alone would round to milliseconds. */
function nanoseconds(time: string, base: number): number {
  const ms = Date.parse(time.replace(FRACTION, ''));
  const digits = FRACTION.exec(time)?.[1] ?? '';
  return (ms - base) * 1e6 + Number(digits.slice(0, 9).padEnd(9, '0'));
}

/**
 * Spans as rows of a waterfall: children below their parents in order of time, orphans at the top.
 * Each span is drawn once, whatever circles there are, and a chain of any depth does not overflow the stack.
 */
export function layOut(spans: readonly TraceSpan[]): Waterfall {
  if (spans.length === 0) return { rows: [], length_ns: 0 };
  const base = Math.min(...spans.map((span) => Date.parse(span.start.replace(FRACTION, ''))));
  const start = new Map(spans.map((span) => [span.span_id, nanoseconds(span.start, base)]));
  const startOf = (span: TraceSpan): number => start.get(span.span_id) ?? 0;
  const byStart = (a: TraceSpan, b: TraceSpan): number => startOf(a) - startOf(b);
  const known = new Map(spans.map((span) => [span.span_id, span]));
  const unique = [...known.values()].sort(byStart);
  const parentOf = ({ parent_span_id, span_id }: TraceSpan): string =>
    parent_span_id !== null && parent_span_id !== span_id && known.has(parent_span_id) ? parent_span_id : '';
  const children = Map.groupBy(unique, parentOf);

  const first = Math.min(...unique.map(startOf));
  const last = Math.max(...unique.map((span) => startOf(span) + span.duration_ns));
  const length = Math.max(1, last - first);
  const rows: WaterfallRow[] = [];
  const seen = new Set<string>();
  const visit = (root: TraceSpan): void => {
    const stack = [{ span: root, depth: 0 }];
    for (let next = stack.pop(); next; next = stack.pop()) {
      const { span, depth } = next;
      if (seen.has(span.span_id)) continue;
      seen.add(span.span_id);
      rows.push({
        ...{ span, depth, below: 0 },
        left: (startOf(span) - first) / length,
        width: span.duration_ns / length,
        orphan: span.parent_span_id !== null && parentOf(span) === '',
      });
      for (const child of [...(children.get(span.span_id) ?? [])].reverse())
        stack.push({ span: child, depth: depth + 1 });
    }
  };
  for (const root of children.get('') ?? []) visit(root);
  // What is left hangs in circles, below no root.
  for (const span of unique) visit(span);
  countBelow(rows);
  return { rows, length_ns: length };
}

/** In one pass: what is below a row are those that follow until one is as high again. */
function countBelow(rows: WaterfallRow[]): void {
  const path: number[] = [];
  const close = (depth: number, at: number): void => {
    while (path.length > depth) {
      const index = path.pop() ?? 0;
      const row = rows[index];
      if (row) row.below = at - index - 1;
    }
  };
  rows.forEach(({ depth }, index) => {
    close(depth, index);
    path.push(index);
  });
  close(0, rows.length);
}

/** Without what is below the collapsed spans, and without spans that `drop` names unless something hangs below them. */
export function visibleRows(
  rows: readonly WaterfallRow[],
  collapsed: ReadonlySet<string>,
  drop: (span: TraceSpan) => boolean,
): WaterfallRow[] {
  const shown: WaterfallRow[] = [];
  let hiddenBelow = Number.POSITIVE_INFINITY;
  for (const row of rows) {
    if (row.depth > hiddenBelow) continue;
    hiddenBelow = collapsed.has(row.span.span_id) ? row.depth : Number.POSITIVE_INFINITY;
    if (row.below > 0 || !drop(row.span)) shown.push(row);
  }
  return shown;
}

/** A call to the database that went well: there are dozens in a trace, and they seldom are what one looks for. */
export function isQuietDatabaseCall({ attributes, status }: TraceSpan): boolean {
  return attributes['db.system.name'] !== undefined && status !== 'error';
}

/** A few round marks on the time axis, as shares of its length and in nanoseconds. */
export function ticks(length_ns: number, most = 5): { at: number; ns: number }[] {
  if (length_ns <= 0) return [];
  const rough = length_ns / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
  const count = Math.floor(length_ns / step) + 1;
  return Array.from({ length: count }, (_, index) => ({ at: (index * step) / length_ns, ns: index * step }));
}
