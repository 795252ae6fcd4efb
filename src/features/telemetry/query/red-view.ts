import { listSegments, rollupsOf, type Visibility } from '../store/segments.ts';
import type { TelemetryStore } from '../store/store.ts';
import { bufferedRows, holdingOf, readSegments, type View } from './view.ts';

/** Epoch ms, both included: the minutes that begin in between. */
export interface Minutes {
  from: number;
  to: number;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** The hours all of whose minutes are in it, and what is left of it. */
export function wholeHours({ from, to }: Minutes): { hours: Minutes[]; rest: Minutes[] } {
  const first = Math.ceil(from / HOUR) * HOUR;
  const end = Math.floor((to + MINUTE) / HOUR) * HOUR;
  if (first >= end) return { hours: [], rest: [{ from, to }] };
  const rest = [
    { from, to: first - MINUTE },
    { from: end, to },
  ];
  return { hours: [{ from: first, to: end - MINUTE }], rest: rest.filter((part) => part.from <= part.to) };
}

/**
 * Rate, errors and durations of some windows: rows `at_ms, system, service, kind, bucket, n, errors`, of whole hours
 * from `red_1h` where there is one, of everything else by the minute. Both say the same: segments of `red_1m` say what
 * there is, and a `red_1h` of the same flushes is only another way to read one.
 */
export async function openRedView(
  store: Pick<TelemetryStore, 'buffer' | 'db' | 'objects'>,
  visible: Visibility,
  windows: readonly Minutes[],
): Promise<View> {
  const held = holdingOf(store);
  try {
    const walIds = held.generations.map((each) => each.wal_id);
    const { segments, flushed } = await listSegments(store.db, 'red_1m', visible, around(windows), walIds);
    const rollups = await rollupsOf(store.db, segments, 'red_1h');
    const split = windows.map(wholeHours);
    const hours = split.flatMap((each) => each.hours);
    const rest = split.flatMap((each) => each.rest);
    const buffered = held.generations
      .filter((each) => !flushed.has(each.wal_id))
      .map((each) => bufferedRows('red_1m', each, visible));
    const plain = segments.filter(({ id }) => !rollups.has(id));
    const rolledUp = segments.filter(({ id }) => rollups.has(id));
    const touching = (parts: readonly Minutes[]) =>
      rolledUp.filter((segment) => parts.some((part) => overlaps(segment, part)));
    const byHour = touching(hours).flatMap(({ id }) => rollups.get(id) ?? []);
    const read = [
      ...[...buffered, readSegments('red_1m', await held.open(plain))].map((rows) => minutesOf(rows, windows)),
      minutesOf(readSegments('red_1m', await held.open(touching(rest))), rest),
      hoursOf(readSegments('red_1h', await held.open(byHour.map((object_key) => ({ object_key })))), hours),
    ];
    return { from: `(${read.join('\n UNION ALL ')})`, release: held.release };
  } catch (error) {
    await held.release();
    throw error;
  }
}

const ns = (ms: number): bigint => BigInt(ms) * 1_000_000n;

function around(windows: readonly Minutes[]) {
  return {
    from_ns: ns(Math.min(...windows.map(({ from }) => from))),
    to_ns: ns(Math.max(...windows.map(({ to }) => to))),
  };
}

const overlaps = (segment: { from_ns: bigint; to_ns: bigint }, { from, to }: Minutes): boolean =>
  segment.from_ns <= ns(to) && segment.to_ns >= ns(from);

const within = (column: string, windows: readonly Minutes[]): string =>
  windows.map(({ from, to }) => `${column} BETWEEN ${from} AND ${to}`).join(' OR ') || 'false';

const minutesOf = (rows: string, windows: readonly Minutes[]): string => columnsOf('minute_ms', rows, windows);
const hoursOf = (rows: string, windows: readonly Minutes[]): string => columnsOf('hour_ms', rows, windows);

const columnsOf = (at: string, rows: string, windows: readonly Minutes[]): string =>
  `SELECT ${at} AS at_ms, system, service, kind, bucket, n, errors FROM (${rows}) WHERE ${within(at, windows)}`;
