/** W3C trace context as it is stored beside work (uploads, tasks, files) and travels between processes. */
export interface Carrier {
  traceparent?: string;
  tracestate?: string;
  baggage?: string;
}

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/;

/** The trace id inside a carrier, or null. Source: W3C Trace Context, §3.2. */
export function traceIdOf(carrier: Carrier | null | undefined): string | null {
  return TRACEPARENT.exec(carrier?.traceparent ?? '')?.[1] ?? null;
}

/** The span id inside a carrier, or null. */
export function spanIdOf(carrier: Carrier | null | undefined): string | null {
  return TRACEPARENT.exec(carrier?.traceparent ?? '')?.[2] ?? null;
}
