import { ROLL_UP } from '../schema.ts';
import type { Generation } from '../store/buffer.ts';
import { listSegments, rollupsOf, type TimeRange, type Visibility } from '../store/segments.ts';
import type { TelemetryStore } from '../store/store.ts';
import { bufferedRows, holdingOf, readSegments } from './view.ts';

/** The same spans in two forms: as they came, and rolled up by trace. */
export interface TraceView {
  /** A FROM item: what each segment and the buffer hold of each trace, as a row of the `traces` rollup. */
  parts: string;
  /** A FROM item: all spans, or at least all of traces that were at one of these times. Opens those segments alone. */
  spans(times?: readonly Required<TimeRange>[]): Promise<string>;
  release(): Promise<void>;
}

/**
 * Segments of spans say what there is; their rollups are only another way to read them, and one that is missing is
 * made on the spot. So both forms hold the same traces, whatever has been merged or has aged out meanwhile.
 */
export async function openTraceView(
  store: Pick<TelemetryStore, 'buffer' | 'db' | 'objects'>,
  visible: Visibility,
  range: TimeRange,
): Promise<TraceView> {
  const held = holdingOf(store);
  try {
    const walIds = held.generations.map((each) => each.wal_id);
    const { segments, flushed } = await listSegments(store.db, 'spans', visible, range, walIds);
    const generations = held.generations.filter((each) => !flushed.has(each.wal_id));
    const buffered = (signal: 'spans' | 'traces') =>
      generations.map((each: Generation) => bufferedRows(signal, each, visible));
    const rollups = await rollupsOf(store.db, segments, 'traces');
    const keys = new Set([...rollups.values()].flat());
    const rolledUp = await held.open([...keys].map((object_key) => ({ object_key })));
    const bare = await held.open(segments.filter(({ id }) => !rollups.has(id)));
    const onTheSpot = bare.length > 0 ? [ROLL_UP.traces(`(${readSegments('spans', bare)})`)] : [];
    return {
      parts: union([...buffered('traces'), ...onTheSpot, readSegments('traces', rolledUp)]),
      async spans(times) {
        const overlapping = segments.filter(
          (segment) => times?.some((time) => segment.from_ns <= time.to_ns && segment.to_ns >= time.from_ns) ?? true,
        );
        return union([...buffered('spans'), readSegments('spans', await held.open(overlapping))]);
      },
      release: held.release,
    };
  } catch (error) {
    await held.release();
    throw error;
  }
}

const union = (selects: readonly string[]): string => `(${selects.join('\n UNION ALL ')})`;
