import { allows, type Principal } from '#contract/principal.ts';
import { fail } from '#kernel/errors.ts';
import type { Db } from '#platform/db/db.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import { openSegments, readSegments } from './query/view.ts';
import type { TelemetryReader } from './reader.ts';
import { COLUMNS, type Kept, MERGES } from './schema.ts';
import { listSegments } from './store/segments.ts';

/** A relation for somebody else's DuckDB: a query over Parquet files that may be opened, and no others. */
export interface TelemetryRelation {
  schema: 'telemetry';
  name: RelationName;
  select_sql: string;
  paths: string[];
  /** Gives the files' local copies back; to be called when the query is over. */
  release(): Promise<void>;
}

export interface RelationDeps {
  db: Db;
  objects: ObjectStore;
  reader: Pick<TelemetryReader, 'flush'>;
}

type Reads = Record<Kept, string>;

/** `time` is a timestamp for people and joins; the exact columns are there beside it. */
const timed = (column: string, perMicrosecond: string, from: string): string =>
  `SELECT make_timestamp((${column} ${perMicrosecond})::BIGINT) AS time, * FROM (${from})`;

const SERIES = ['metric', 'unit', 'type', 'temporality', 'monotonic', 'system', 'service', 'instance', 'labels'];

/** Points with the names and labels of their series; a histogram's have a count instead of a value. */
function points(read: Reads): string {
  const own = Object.keys({ ...COLUMNS.points, ...COLUMNS.hpoints }).filter((name) => name !== 'workspace_id');
  const both = `SELECT * FROM (${read.points}) UNION ALL BY NAME SELECT * FROM (${read.hpoints})`;
  const named = `SELECT ${[...SERIES.map((name) => `s.${name}`), ...own.map((name) => `p.${name}`)].join(', ')}, s.bounds
    FROM (${both}) AS p JOIN (${merged('series', read)}) AS s USING (series_id)`;
  return timed('ts_ms', '* 1000', named);
}

const merged = (kept: Kept, read: Reads): string => MERGES[kept]?.(`(${read[kept]})`) ?? read[kept];

interface Relation {
  signals: readonly Kept[];
  select(read: Reads): string;
}

const RELATIONS = {
  spans: { signals: ['spans'], select: (read) => timed('start_ns', '// 1000', read.spans) },
  logs: { signals: ['logs'], select: (read) => timed('ts_ns', '// 1000', read.logs) },
  points: { signals: ['series', 'points', 'hpoints'], select: points },
  series: { signals: ['series'], select: (read) => merged('series', read) },
  resources: { signals: ['resources'], select: (read) => merged('resources', read) },
  red_1m: { signals: ['red_1m'], select: (read) => timed('minute_ms', '* 1000', merged('red_1m', read)) },
  traces: { signals: ['traces'], select: (read) => timed('start_ns', '// 1000', merged('traces', read)) },
} as const satisfies Record<string, Relation>;

export type RelationName = keyof typeof RELATIONS;

export function isTelemetryRelation(name: string): name is RelationName {
  return Object.hasOwn(RELATIONS, name);
}

/**
 * `telemetry.spans`, `.logs`, `.points`, `.red_1m` and the others as SQL, after asking the store to write what it
 * holds in memory; names that are none of these are left out. Rows are those of the caller's workspace, for the
 * operator also the installation's. Segments do not mix workspaces, so the choice of files is the rule.
 *
 * @throws forbidden without the scope telemetry:read: SQL is no way around it
 * @throws telemetry_full when no telemetry process is there to flush
 */
export function telemetryRelations(deps: RelationDeps) {
  return async (principal: Principal, names: readonly string[]): Promise<TelemetryRelation[]> => {
    const wanted = [...new Set(names)].filter(isTelemetryRelation);
    if (wanted.length === 0) return [];
    if (!allows(principal.scopes, 'telemetry:read')) {
      throw fail('forbidden', `telemetry.${wanted[0]} needs the scope telemetry:read.`);
    }
    await deps.reader.flush();
    return Promise.all(wanted.map((name) => open(deps, principal, name)));
  };
}

async function open(
  { db, objects }: RelationDeps,
  principal: Principal,
  name: RelationName,
): Promise<TelemetryRelation> {
  const { signals, select }: Relation = RELATIONS[name];
  const opened = await Promise.all(
    signals.map(async (signal) => {
      const { segments } = await listSegments(db, signal, principal, {}, []);
      const files = await openSegments(objects, segments);
      return { signal, ...files };
    }),
  );
  const reads = Object.fromEntries(opened.map(({ signal, paths }) => [signal, readSegments(signal, paths)])) as Reads;
  return {
    schema: 'telemetry',
    name,
    select_sql: select(reads),
    paths: opened.flatMap(({ paths }) => paths),
    async release() {
      await Promise.all(opened.map((each) => each.release()));
    },
  };
}
