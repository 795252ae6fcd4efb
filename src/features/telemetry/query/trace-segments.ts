import { traceEnd } from '../schema.ts';
import { literal, type Read, withConnection } from '../store/duckdb.ts';
import { type LiveSegment, listSegments, rollupsOf, type TimeRange, type Visibility } from '../store/segments.ts';
import type { TelemetryStore } from '../store/store.ts';
import { bufferedRows, holdingOf, readSegments, type View } from './view.ts';

type Store = Pick<TelemetryStore, 'buffer' | 'db' | 'objects'>;

interface Sought {
  traceId: string;
  timeoutMs: number;
}

/** So many are read whole as fast as they are asked. */
const FEW = 4;

/** A view of what is buffered and of those segments that have rows of a trace. */
export async function openTraceSegments(
  store: Store,
  signal: 'spans' | 'logs',
  visible: Visibility,
  range: TimeRange,
  sought: Sought,
): Promise<View> {
  const held = holdingOf(store);
  try {
    const walIds = held.generations.map((each) => each.wal_id);
    const { segments, flushed } = await listSegments(store.db, signal, visible, range, walIds);
    const chosen = segments.length <= FEW ? segments : await havingTrace(store, signal, segments, held.open, sought);
    const buffered = held.generations
      .filter((each) => !flushed.has(each.wal_id))
      .map((each) => bufferedRows(signal, each, visible));
    const rows = [...buffered, readSegments(signal, await held.open(chosen))];
    return { from: `(${rows.join('\n UNION ALL ')})`, release: held.release };
  } catch (error) {
    await held.release();
    throw error;
  }
}

interface Clue {
  segment: LiveSegment;
  object_key: string;
}

/**
 * Only they are read whole: over 24 segments, each of 26 row groups, planning a statement takes 5 ms with one column and
 * 30 with all of them. Where an hour of logs is compacted its index is asked instead: of a million lines 5 ms, and 30
 * in the lines themselves.
 */
async function havingTrace(
  store: Store,
  signal: 'spans' | 'logs',
  segments: readonly LiveSegment[],
  open: ReturnType<typeof holdingOf>['open'],
  { traceId, timeoutMs }: Sought,
): Promise<LiveSegment[]> {
  const indexes = signal === 'logs' ? await rollupsOf(store.db, segments, 'log_traces_1h') : undefined;
  const indexed = segments.flatMap((segment) =>
    (indexes?.get(segment.id) ?? []).map((object_key): Clue => ({ segment, object_key })),
  );
  const bare = segments
    .filter(({ id }) => !indexes?.has(id))
    .map((segment): Clue => ({ segment, object_key: segment.object_key }));
  const whole = literal(traceId);
  const questions = [
    { clues: bare, paths: await open(bare), where: `trace_id = ${whole}` },
    { clues: indexed, paths: await open(indexed), where: `trace_end = ${traceEnd(whole)}` },
  ].filter(({ paths }) => paths.length > 0);
  return withConnection(
    store.buffer.instance,
    async (run) => {
      const found = new Set<LiveSegment>();
      for (const { clues, paths, where } of questions) {
        const files = await filesWith(run, paths, where);
        for (const [at, { segment }] of clues.entries()) if (files.has(paths[at] as string)) found.add(segment);
      }
      return [...found];
    },
    timeoutMs,
  );
}

async function filesWith(run: Read, paths: readonly string[], where: string): Promise<Set<string>> {
  const files = `read_parquet([${paths.map(literal).join(', ')}], filename = true)`;
  const found = await run<{ filename: string }>(`SELECT DISTINCT filename FROM ${files} WHERE ${where}`);
  return new Set(found.map(({ filename }) => filename));
}
