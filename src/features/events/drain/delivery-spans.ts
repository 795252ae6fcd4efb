import { SpanKind, trace } from '@opentelemetry/api';
import { counter, histogram } from '#platform/observe/metrics/instruments.ts';
import { contextOf } from '#platform/observe/tracing.ts';
import type { Drained } from './drained.ts';

/**
 * In the trace of each batch a span from its acknowledgement to its commit, linked to the drain that it shared with
 * others: whoever follows one batch finds the drain, and the drain's trace names no parent that is not its own.
 */
export function deliverSpans({ subscription, batches, target, sources }: Drained, version: number): void {
  const tracer = trace.getTracer('caudal');
  const drain = trace.getActiveSpan()?.spanContext();
  const name = subscription.topic ?? target.name;
  const now = Date.now();
  const owner = { 'caudal.workspace': subscription.workspace_id };
  for (const [index, { carrier, created_at, first_offset, last_offset }] of batches.entries()) {
    const count = last_offset - first_offset + 1;
    const accounting = sources[index]?.accounting;
    histogram('caudal.events.queryable').record(Math.max(0, now - created_at.getTime()) / 1000, owner);
    if (!carrier?.traceparent) continue;
    const span = tracer.startSpan(
      `process ${name}`,
      {
        kind: SpanKind.CONSUMER,
        startTime: created_at,
        links: drain ? [{ context: drain }] : [],
        attributes: {
          'messaging.destination.name': name,
          'messaging.operation.type': 'process',
          'messaging.batch.message_count': count,
          'caudal.workspace': subscription.workspace_id,
          'caudal.subscription.id': subscription.id,
          'caudal.dataset': target.name,
          'caudal.dataset.version': version,
          'caudal.source.id': sources[index]?.id ?? '',
          'caudal.offset.first': first_offset,
          'caudal.rows.accepted': accounting?.accepted ?? 0,
          'caudal.rows.quarantined': accounting?.quarantined ?? 0,
        },
      },
      contextOf(carrier),
    );
    span.end(Math.max(now, created_at.getTime()));
  }
  const accounts = sources.map(({ accounting }) => accounting);
  for (const outcome of ['accepted', 'quarantined'] as const) {
    const count = accounts.reduce((sum, account) => sum + account[outcome], 0);
    if (count > 0) counter('caudal.events.rows').add(count, { ...owner, 'caudal.outcome': outcome });
  }
}
