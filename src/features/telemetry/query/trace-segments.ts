import { traceEnd } from '../schema.ts';
import { literal, type Read, withConnection } from '../store/duckdb.ts';
import { rollupsOf } from '../store/segments.ts';
import type { TelemetryStore } from '../store/store.ts';
import { type LocalSegment, openSegments } from './view.ts';

/** So many are read whole as fast as they are asked. */
const FEW = 4;

/**
 * Those of the segments that have rows of a trace, so that only they are read whole: over 24 segments, each of 26 row
 * groups, planning a statement takes 5 ms with one column and 30 with all of them. Where an hour of logs is compacted
 * its index is asked instead: of a million lines 5 ms, and 30 in the lines themselves.
 */
export async function segmentsOfTrace(
  store: Pick<TelemetryStore, 'buffer' | 'db' | 'objects'>,
  signal: 'spans' | 'logs',
  segments: readonly LocalSegment[],
  traceId: string,
  timeoutMs: number,
): Promise<readonly LocalSegment[]> {
  if (segments.length <= FEW) return segments;
  const indexes =
    signal === 'logs' ? await rollupsOf(store.db, segments, 'log_traces_1h') : new Map<string, string[]>();
  const keys = [...indexes].flatMap(([id, own]) => own.map((object_key) => ({ id, object_key })));
  const files = await openSegments(store.objects, keys);
  const indexed = new Map(keys.map(({ id }, at) => [files.paths[at] as string, id]));
  const bare = new Map(segments.filter(({ id }) => !indexes.has(id)).map(({ id, path }) => [path, id]));
  const whole = literal(traceId);
  try {
    const found = await withConnection(
      store.buffer.instance,
      async (run) => [
        ...(await having(run, bare, `trace_id = ${whole}`)),
        ...(await having(run, indexed, `trace_end = ${traceEnd(whole)}`)),
      ],
      timeoutMs,
    );
    return segments.filter(({ id }) => found.includes(id));
  } finally {
    await files.release();
  }
}

/** What the files that hold such a row stand for. */
async function having(run: Read, files: ReadonlyMap<string, string>, where: string): Promise<string[]> {
  if (files.size === 0) return [];
  const read = `read_parquet([${[...files.keys()].map(literal).join(', ')}], filename = true)`;
  const found = await run<{ filename: string }>(`SELECT DISTINCT filename FROM ${read} WHERE ${where}`);
  return found.map(({ filename }) => files.get(filename) as string);
}
