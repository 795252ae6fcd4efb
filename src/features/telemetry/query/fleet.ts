import { FLEET_STATES, type FleetAnswer, type FleetState, type FleetSystem } from '#contract/telemetry.ts';
import { formatNs } from '../otlp/times.ts';
import { withConnection } from '../store/duckdb.ts';
import type { TimeRange, Visibility } from '../store/segments.ts';
import type { TelemetryStore } from '../store/store.ts';
import { type Counted, count, quantilesOf } from './durations.ts';
import { healthOf } from './health.ts';
import { openRedView } from './red-view.ts';
import { QUERY_TIMEOUT_MS } from './trace.ts';
import { openView } from './view.ts';

interface Tally {
  system: string;
  entry: boolean;
  /** Of the window, not of the one before it. */
  now: boolean;
  bucket: number;
  n: bigint;
  errors: bigint;
}

interface Presence {
  system: string;
  services: bigint;
  instances: bigint;
  last_ms: bigint;
}

const DAY_NS = 86_400_000_000_000n;
const WORST: Record<FleetState, number> = { silent: 0, off_slo: 1, healthy: 2 };

/** Every system that was there within a day: how it is now, and against the window before. Worst first. */
export async function readFleet(
  store: TelemetryStore,
  visible: Visibility,
  { from_ns, to_ns }: Required<TimeRange>,
): Promise<FleetAnswer> {
  const before_ns = from_ns - (to_ns - from_ns);
  const [before, from, to] = [before_ns, from_ns, to_ns].map((ns) => Number(ns / 1_000_000n)) as [
    number,
    number,
    number,
  ];
  const windows = [
    { from: before, to: from - 1 },
    { from, to },
  ];
  const [red, resources] = await Promise.all([
    openRedView(store, visible, windows),
    openView(store, 'resources', visible, { from_ns: to_ns - DAY_NS, to_ns }),
  ]);
  try {
    const [tallies, present] = await withConnection(
      store.buffer.instance,
      async (read) =>
        [
          await read<Tally>(
            `SELECT system, kind IN ('server', 'consumer') AS entry, at_ms >= ${from} AS now, bucket,
                  sum(n)::BIGINT AS n, sum(errors)::BIGINT AS errors
           FROM ${red.from} GROUP BY ALL`,
          ),
          await read<Presence>(
            `SELECT system, count(DISTINCT service) AS services, count(DISTINCT instance) AS instances,
                  max(seen_ns) // 1000000 AS last_ms
           FROM ${resources.from} WHERE seen_ns <= ${to_ns} GROUP BY system`,
          ),
        ] as const,
      QUERY_TIMEOUT_MS,
    );
    return answerOf(tallies, present, { from_ns, to_ns });
  } finally {
    await Promise.all([red.release(), resources.release()]);
  }
}

function answerOf(tallies: readonly Tally[], present: readonly Presence[], range: Required<TimeRange>): FleetAnswer {
  const seconds = Math.max(1, Number(range.to_ns - range.from_ns) / 1e9);
  const bySystem = Map.groupBy(tallies, ({ system }) => system);
  const all: Counted = new Map();
  const items = present.map((presence): FleetSystem => {
    const own = bySystem.get(presence.system) ?? [];
    const counted = own.some(({ entry }) => entry) ? own.filter(({ entry }) => entry) : own;
    const now = vitalsOf(counted.filter((row) => row.now));
    const before = vitalsOf(counted.filter((row) => !row.now));
    for (const [bucket, n] of now.durations) count(all, bucket, n);
    const last_seen_ms = Number(presence.last_ms);
    const { requests, errors } = now;
    return {
      system: presence.system,
      ...healthOf({ ...now, last_seen_ms }, Number(range.to_ns / 1_000_000n)),
      services: Number(presence.services),
      instances: Number(presence.instances),
      last_seen: new Date(last_seen_ms).toISOString(),
      requests,
      errors,
      rate: requests / seconds,
      error_ratio: ratio(now),
      ...quantilesOf(now.durations),
      trend: {
        requests: before.requests === 0 ? null : requests / before.requests - 1,
        error_ratio: before.requests === 0 ? null : ratio(now) - ratio(before),
        p95_ms: difference(quantilesOf(now.durations).p95_ms, quantilesOf(before.durations).p95_ms),
      },
    };
  });
  items.sort(
    (a, b) => WORST[a.state] - WORST[b.state] || b.error_ratio - a.error_ratio || (b.p95_ms ?? 0) - (a.p95_ms ?? 0),
  );
  const total = (of: 'requests' | 'errors') => items.reduce((sum, item) => sum + item[of], 0);
  const counts = Object.fromEntries(
    FLEET_STATES.map((state) => [state, items.filter((item) => item.state === state).length]),
  ) as Record<FleetState, number>;
  const fleet = { requests: total('requests'), errors: total('errors') };
  return {
    from: formatNs(range.from_ns),
    to: formatNs(range.to_ns),
    counts,
    fleet: { systems: items.length, ...fleet, error_ratio: ratio(fleet), ...quantilesOf(all) },
    items,
    next_cursor: null,
  };
}

function vitalsOf(tallies: readonly Tally[]) {
  const durations: Counted = new Map();
  let requests = 0;
  let errors = 0;
  for (const { bucket, n, errors: failed } of tallies) {
    count(durations, bucket, Number(n));
    requests += Number(n);
    errors += Number(failed);
  }
  return { durations, requests, errors };
}

const ratio = ({ requests, errors }: { requests: number; errors: number }): number =>
  requests === 0 ? 0 : errors / requests;

const difference = (a: number | null, b: number | null): number | null => (a === null || b === null ? null : a - b);
