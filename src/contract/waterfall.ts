import type { TraceSpan } from './telemetry.ts';

/** What the drawing needs of a trace; `logs` and attributes are not drawn. */
export interface DrawnTrace {
  trace_id: string;
  spans: readonly (Pick<
    TraceSpan,
    'span_id' | 'parent_span_id' | 'service' | 'name' | 'start' | 'duration_ns' | 'status' | 'status_message'
  > & { attributes?: Record<string, unknown> })[];
}
type DrawnSpan = DrawnTrace['spans'][number];

export interface WaterfallOptions {
  /** Columns of the terminal. */
  width: number;
  /** ANSI colours; without, the same picture in plain text. */
  color: boolean;
  /** Every query on a line of its own; otherwise three and more in a row are one line. */
  queries?: boolean;
}

const MIN_WIDTH = 60;
const DURATION_WIDTH = 9;
/** What is left of a name at the deepest level that is still indented; deeper ones are drawn at that level. */
const SHORTEST_NAME = 12;

/**
 * A trace as a tree with bars on a common time axis, for a fixed-width terminal:
 *
 *     GET /files                caudal-api     12.1 ms  ▕████████████        ▏
 *     └─ SELECT                 caudal-api      2.3 ms  ▕  ███               ▏
 *
 * Harmless whatever comes: a span whose parent is not there is a root, marked `?`; spans that are each other's
 * parents are drawn once; a span that begins before its parent (clocks of two machines) is drawn where it says.
 */
export function drawWaterfall(trace: DrawnTrace, options: WaterfallOptions): string {
  const all = trace.spans.map(withTimes);
  if (all.length === 0) return `trace ${trace.trace_id}: no spans`;
  const spans = options.queries ? all : foldQueries(all);
  const paint = options.color ? ansi : plain;
  const axis = axisOf(spans);
  const columns = columnsOf(options.width, spans);
  const hues = huesOf(spans);
  const deepest = Math.floor((columns.name - SHORTEST_NAME) / 3);
  const lines = layOut(spans, deepest).map((row) => drawRow(row, axis, columns, hues, paint));
  return [headline(trace.trace_id, all, axis, paint), scale(axis, columns, paint), ...lines].join('\n');
}

interface Timed {
  span: DrawnSpan;
  start: bigint;
  end: bigint;
  /** Time spent, where that is less than from start to end: several queries on one line. */
  spent?: bigint;
}

interface Row extends Timed {
  /** The branches before the name: `│  └─ `. */
  branches: string;
  orphan: boolean;
}

interface Axis {
  start: bigint;
  length: bigint;
}

interface Columns {
  name: number;
  service: number;
  bar: number;
}

function withTimes(span: DrawnSpan): Timed {
  const start = nanoseconds(span.start);
  return { span, start, end: start + BigInt(Math.max(0, Math.round(span.duration_ns))) };
}

const FOLDED = 3;

/** Queries of one parent that follow each other without anything else between become one line: `12 queries`. */
function foldQueries(spans: readonly Timed[]): Timed[] {
  const parents = new Set(spans.map((each) => each.span.parent_span_id));
  const folds = ({ span }: Timed): boolean =>
    span.attributes?.['db.system.name'] !== undefined && span.status !== 'error' && !parents.has(span.span_id);
  const runs = new Map<string | null, Timed[][]>();
  for (const each of [...spans].sort(byStart)) {
    const kin = runs.get(each.span.parent_span_id) ?? [];
    runs.set(each.span.parent_span_id, kin);
    const run = kin.at(-1);
    const last = run?.at(-1);
    if (run && last && folds(last) && folds(each) && last.span.service === each.span.service) run.push(each);
    else kin.push([each]);
  }
  return [...runs.values()].flat().flatMap((run) => (run.length < FOLDED ? run : [together(run)]));
}

function together(run: readonly Timed[]): Timed {
  const [first] = run as [Timed];
  const sum = run.reduce((total, each) => total + each.end - each.start, 0n);
  const { start, length } = axisOf(run);
  return { span: { ...first.span, name: `${run.length} queries` }, start, end: start + length, spent: sum };
}

const FRACTION = /\.(\d+)/;

/** RFC 3339 with up to nine decimals; `Date` alone would round to milliseconds. */
function nanoseconds(time: string): bigint {
  const seconds = Date.parse(time.replace(FRACTION, ''));
  if (Number.isNaN(seconds)) return 0n;
  const digits = FRACTION.exec(time)?.[1] ?? '';
  return BigInt(seconds) * 1_000_000n + BigInt(digits.slice(0, 9).padEnd(9, '0'));
}

function axisOf(spans: readonly Timed[]): Axis {
  let start = spans[0]?.start ?? 0n;
  let end = start;
  for (const span of spans) {
    if (span.start < start) start = span.start;
    if (span.end > end) end = span.end;
  }
  return { start, length: end > start ? end - start : 1n };
}

function byStart(a: Timed, b: Timed): number {
  return a.start < b.start ? -1 : a.start > b.start ? 1 : 0;
}

/** Spans in reading order: parents before children, siblings by start. */
function layOut(spans: readonly Timed[], deepest: number): Row[] {
  const known = new Map(spans.map((each) => [each.span.span_id, each]));
  const children = new Map<string, Timed[]>();
  const roots: Timed[] = [];
  for (const each of known.values()) {
    const parent = each.span.parent_span_id;
    if (parent === null || parent === each.span.span_id || !known.has(parent)) roots.push(each);
    else children.set(parent, [...(children.get(parent) ?? []), each]);
  }
  const rows: Row[] = [];
  const drawn = new Set<string>();
  // An explicit stack: a chain of ten thousand spans must not end in a stack overflow.
  const draw = (root: Timed): void => {
    const stack = [{ each: root, branches: '', below: '', depth: 0 }];
    for (let next = stack.pop(); next; next = stack.pop()) {
      const { each, branches, below, depth } = next;
      if (drawn.has(each.span.span_id)) continue;
      drawn.add(each.span.span_id);
      const parent = each.span.parent_span_id;
      rows.push({ ...each, branches, orphan: parent !== null && !known.has(parent) });
      const kin = (children.get(each.span.span_id) ?? []).sort(byStart);
      for (let index = kin.length - 1; index >= 0; index -= 1) {
        const last = index === kin.length - 1;
        const deep = depth >= deepest;
        stack.push({
          each: kin[index] as Timed,
          branches: deep ? branches : `${below}${last ? '└─ ' : '├─ '}`,
          below: deep ? below : `${below}${last ? '   ' : '│  '}`,
          depth: depth + 1,
        });
      }
    }
  };
  for (const root of roots.sort(byStart)) draw(root);
  // What is left hangs in circles, below no root.
  for (const each of [...known.values()].sort(byStart)) draw(each);
  return rows;
}

function columnsOf(width: number, spans: readonly Timed[]): Columns {
  const usable = Math.max(MIN_WIDTH, width);
  const longest = Math.max(...spans.map((each) => each.span.service.length));
  const service = Math.min(longest, Math.floor(usable * 0.18));
  const rest = usable - service - DURATION_WIDTH - 6;
  const name = Math.min(48, Math.floor(rest * 0.5));
  return { service, name, bar: rest - name };
}

type Style = 'bold' | 'dim' | 'red' | number;
type Paint = (text: string, style: Style) => string;

const CODES = { bold: '1', dim: '2', red: '31;1' } as const;
/** Calm, distinct on dark and light grounds (256-colour palette). */
const HUES = [38, 71, 136, 98, 167, 31, 107, 172, 132, 66];

const plain: Paint = (text) => text;
const ansi: Paint = (text, style) =>
  `\u001b[${typeof style === 'number' ? `38;5;${HUES[style % HUES.length]}` : CODES[style]}m${text}\u001b[0m`;

/** By order of appearance, so that the services of one trace differ. */
function huesOf(spans: readonly Timed[]): Map<string, number> {
  const services = new Set([...spans].sort(byStart).map((each) => each.span.service));
  return new Map([...services].map((service, index) => [service, index]));
}

function headline(traceId: string, spans: readonly Timed[], axis: Axis, paint: Paint): string {
  const services = new Set(spans.map((each) => each.span.service)).size;
  const errors = spans.filter((each) => each.span.status === 'error').length;
  const facts = `${count(spans.length, 'span')}, ${count(services, 'service')}, ${duration(axis.length)}`;
  const failed = errors > 0 ? `, ${paint(count(errors, 'error'), 'red')}` : '';
  return `${paint(`trace ${traceId}`, 'bold')}  ${facts}${failed}`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** `0` at the left end of the bars and the whole duration at the right one. */
function scale(axis: Axis, { name, service, bar }: Columns, paint: Paint): string {
  const left = ' '.repeat(name + service + DURATION_WIDTH + 4);
  const end = duration(axis.length);
  return paint(`${left}0${end.padStart(bar - 1)}`, 'dim');
}

function drawRow(row: Row, axis: Axis, columns: Columns, hues: Map<string, number>, paint: Paint): string {
  const { span } = row;
  const failed = span.status === 'error';
  const mark = `${failed ? '✗ ' : ''}${row.orphan ? '? ' : ''}`;
  const room = columns.name - row.branches.length;
  const name = fit(mark + printable(span.name), room);
  const hue = hues.get(span.service) ?? 0;
  const service = fit(printable(span.service), columns.service);
  const time = duration(row.spent ?? row.end - row.start).padStart(DURATION_WIDTH);
  const line = [
    paint(row.branches, 'dim') + (failed ? paint(name, 'red') : name),
    paint(service, hue),
    time,
    barOf(row, axis, columns.bar, (text) => paint(text, failed ? 'red' : hue), paint),
  ].join(' ');
  const why = failed && span.status_message ? `\n${explain(row, columns, paint)}` : '';
  return line + why;
}

/** Why it failed, on a line of its own below the name. */
function explain(row: Row, columns: Columns, paint: Paint): string {
  const indent = ' '.repeat(Math.min(row.branches.length, columns.name) + 2);
  const room = columns.name + columns.service + DURATION_WIDTH + columns.bar + 4 - indent.length;
  return paint(indent + fit(printable(row.span.status_message ?? ''), room).trimEnd(), 'red');
}

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** A bar to an eighth of a column; what is shorter is a thin line, so that every span can be seen. */
function barOf(row: Timed, axis: Axis, width: number, fill: (text: string) => string, paint: Paint): string {
  const eighths = width * 8;
  const scaleOf = (ns: bigint) => Number((ns * BigInt(eighths)) / axis.length);
  const from = Math.min(eighths - 8, Math.floor(scaleOf(row.start - axis.start) / 8) * 8);
  const to = Math.max(from + 1, Math.min(eighths, scaleOf(row.end - axis.start)));
  const bar = '█'.repeat(Math.floor((to - from) / 8)) + (EIGHTHS[(to - from) % 8] ?? '');
  const before = ' '.repeat(from / 8);
  return `${paint('▕', 'dim')}${before}${fill(bar)}${' '.repeat(Math.max(0, width - from / 8 - bar.length))}${paint('▏', 'dim')}`;
}

const UNITS: readonly [limit: number, divisor: number, unit: string][] = [
  [1e3, 1, 'ns'],
  [1e6, 1e3, 'µs'],
  [1e9, 1e6, 'ms'],
  [60e9, 1e9, 's'],
];

/** 1234567n → "1.23 ms"; beyond a minute "2m 03s". */
function duration(ns: bigint): string {
  const value = Number(ns);
  for (const [limit, divisor, unit] of UNITS) {
    if (value >= limit * 0.9995) continue;
    const scaled = value / divisor;
    const digits = divisor === 1 || scaled >= 99.95 ? 0 : scaled >= 9.995 ? 1 : 2;
    return `${scaled.toFixed(digits)} ${unit}`;
  }
  const seconds = Math.round(value / 1e9);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 100) return `${minutes}m ${String(seconds % 60).padStart(2, '0')}s`;
  return `${Math.floor(minutes / 60)}h ${String(minutes % 60).padStart(2, '0')}m`;
}

/** Names come from anybody's program: no control characters (they would steer the terminal). */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
}

/** Exactly `width` characters (code points), cut with an ellipsis or filled with blanks. */
function fit(text: string, width: number): string {
  const characters = [...text];
  if (characters.length <= width) return text + ' '.repeat(width - characters.length);
  return `${characters.slice(0, width - 1).join('')}…`;
}
