import { attributesOf, integer, type Json } from './attributes.ts';
import type { Exemplar } from './generated/otlp_pb.ts';
import { idOf, isTime, msOf } from './times.ts';

/** Single measurements with the span that they were made in. */
export function exemplarsOf(exemplars: readonly Exemplar[]): Json[] {
  return exemplars.map((exemplar) => ({
    ts_ms: isTime(exemplar.timeUnixNano) ? Number(msOf(exemplar.timeUnixNano)) : null,
    value: valueOf(exemplar),
    trace_id: idOf(exemplar.traceId, 16),
    span_id: idOf(exemplar.spanId, 8),
    attributes: attributesOf(exemplar.filteredAttributes),
  }));
}

function valueOf({ value }: Exemplar): Json {
  if (value.case === 'asInt') return integer(value.value);
  if (value.case !== 'asDouble') return null;
  return Number.isFinite(value.value) ? value.value : String(value.value);
}
