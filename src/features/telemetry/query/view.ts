import type { DuckDBValue } from '@duckdb/node-api';
import type { ObjectStore } from '#platform/objects/store.ts';
import { COLUMNS, isHourly, isRollup, type Kept, ROLL_UP, type Signal } from '../schema.ts';
import { type Generation, tableOf } from '../store/buffer.ts';
import { literal } from '../store/duckdb.ts';
import { type LiveSegment, listSegments, type TimeRange, type Visibility } from '../store/segments.ts';
import type { TelemetryStore } from '../store/store.ts';

/** A FROM item with the rows of one signal that the asker may see: buffer ∪ segments, each row once. */
export interface View {
  from: string;
  release(): Promise<void>;
}

/**
 * The generations are leased before the segments are listed, so a flush in between only moves rows from the first
 * to the second, and the listing says which ones.
 */
export async function openView(
  store: Pick<TelemetryStore, 'buffer' | 'db' | 'objects'>,
  signal: Kept,
  visible: Visibility,
  range: TimeRange = {},
  /** Only what has not been compacted: of the rest there is something better. */
  fresh = false,
): Promise<View> {
  const held = holdingOf(store);
  try {
    const walIds = held.generations.map((each) => each.wal_id);
    const { segments, flushed } = await listSegments(store.db, signal, visible, range, walIds, fresh ? false : null);
    const paths = await held.open(segments);
    const buffered = held.generations
      .filter((each) => !flushed.has(each.wal_id))
      .map((each) => bufferedRows(signal, each, visible));
    return {
      from: `(${[...buffered, readSegments(signal, paths)].join('\n UNION ALL ')})`,
      release: held.release,
    };
  } catch (error) {
    await held.release();
    throw error;
  }
}

/** What a view holds until it is released: generations of the buffer, and local copies of segments. */
export function holdingOf({ buffer, objects }: Pick<TelemetryStore, 'buffer' | 'objects'>) {
  const lease = buffer.lease();
  const releases: (() => Promise<void>)[] = [() => lease.release()];
  return {
    generations: lease.generations,
    async open(segments: readonly Pick<LiveSegment, 'object_key'>[]): Promise<string[]> {
      const files = await openSegments(objects, segments);
      releases.push(files.release);
      return files.paths;
    },
    async release(): Promise<void> {
      await Promise.all(releases.map((each) => each()));
    },
  };
}

export function bufferedRows(signal: Kept, generation: Generation, visible: Visibility): string {
  const rows = (from: Signal) => `SELECT * FROM ${tableOf(from, generation)} WHERE ${ownRows(visible)}`;
  if (isHourly(signal)) return none(signal);
  return isRollup(signal) ? ROLL_UP[signal](`(${rows('spans')})`) : rows(signal);
}

function ownRows({ workspace_id, operator, everything }: Visibility): string {
  if (everything) return 'true';
  const own = `workspace_id = ${literal(workspace_id)}`;
  return operator ? `(${own} OR workspace_id IS NULL)` : own;
}

/**
 * A query over Parquet files with exactly the signal's columns, also where files are of a time that had fewer; without
 * files, an empty one.
 */
export function readSegments(signal: Kept, paths: readonly string[]): string {
  if (paths.length === 0) return none(signal);
  const names = Object.keys(COLUMNS[signal]).join(', ');
  const files = `read_parquet([${paths.map(literal).join(', ')}], union_by_name = true)`;
  return `SELECT ${names} FROM (${none(signal)} UNION ALL BY NAME SELECT * FROM ${files})`;
}

const none = (signal: Kept): string =>
  `SELECT ${Object.entries(COLUMNS[signal])
    .map(([name, type]) => `NULL::${type} AS ${name}`)
    .join(', ')} WHERE false`;

/** Local paths of the segments' objects, held until released. */
export async function openSegments(objects: ObjectStore, segments: readonly Pick<LiveSegment, 'object_key'>[]) {
  const locals = await Promise.all(segments.map((segment) => objects.local(segment.object_key)));
  return {
    paths: locals.map((local) => local.path),
    async release() {
      await Promise.all(locals.map((local) => local.release()));
    },
  };
}

/** Conditions and their values, in step: every value of a caller's is a parameter. */
export interface Conditions {
  values: DuckDBValue[];
  /** `?` stands for each value in turn. */
  add(condition: string, ...values: DuckDBValue[]): void;
  /** The text of an attribute, whatever the characters of its name. */
  addAttributes(column: string, attributes: Record<string, string> | undefined): void;
  where(): string;
}

/** Values are numbered after those that are there: conditions of one statement share them. */
export function noConditions(values: DuckDBValue[] = []): Conditions {
  const parts: string[] = [];
  const add: Conditions['add'] = (condition, ...more) => {
    let next = values.length;
    parts.push(
      condition.replaceAll('?', () => {
        next += 1;
        return `$${next}`;
      }),
    );
    values.push(...more);
  };
  return {
    values,
    add,
    addAttributes(column, attributes) {
      for (const [name, value] of Object.entries(attributes ?? {})) {
        const pointer = `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
        add(`json_extract_string(${column}, ?) = ?`, pointer, value);
      }
    },
    where: () => (parts.length === 0 ? 'true' : parts.join(' AND ')),
  };
}
