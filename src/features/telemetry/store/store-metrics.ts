import { rows, sql } from '#platform/db/db.ts';
import { observe } from '#platform/observe/metrics/instruments.ts';
import { untraced } from '#platform/observe/tracing.ts';
import type { TelemetryStore } from './store.ts';

/** What the store holds: of the process that owns it, so that nothing is told twice. */
export function observeStore(store: TelemetryStore): () => void {
  return observe(['caudal.telemetry.buffered', 'caudal.telemetry.segments', 'caudal.telemetry.bytes'], async () => {
    const held = await untraced(() =>
      rows(
        store.db,
        sql<{ signal: string; segments: number; bytes: number }>`
            SELECT signal, count(*) AS segments, sum(bytes) AS bytes FROM telemetry_segments
            WHERE removed_at IS NULL GROUP BY signal`,
      ),
    );
    const per = (what: 'segments' | 'bytes') =>
      held.map((each) => ({ value: each[what], attributes: { 'caudal.signal': each.signal } }));
    return {
      'caudal.telemetry.buffered': store.buffered(),
      'caudal.telemetry.segments': per('segments'),
      'caudal.telemetry.bytes': per('bytes'),
    };
  });
}
