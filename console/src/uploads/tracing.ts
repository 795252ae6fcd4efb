/**
 * The browser's part of a trace: spans of one upload, from the click on, sent as OTLP/JSON to the gateway with
 * the session's cookie. The OpenTelemetry SDK does the same in 22 KB gzip; what an upload needs fits here, and
 * without zone.js the context has to be handed on by hand in either case.
 */

interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: { key: string; value: { stringValue: string } | { intValue: string } }[];
  status: { code?: number; message?: string };
}

export type Attributes = Record<string, string | number>;

export interface Trace {
  trace_id: string;
  /** Runs `work` in a span below the root; it gets the headers that carry the context on. */
  span<T>(name: string, attributes: Attributes, work: (headers: Record<string, string>) => Promise<T>): Promise<T>;
  /** Ends the root span. */
  end(error?: unknown): void;
}

const CLIENT = 3;
const ERROR = 2;
const SEND_EVERY_MS = 1_000;
const INSTANCE = hex(8);

let pending: Span[] = [];
let timer: number | undefined;

export function startTrace(name: string, attributes: Attributes): Trace {
  const trace_id = hex(16);
  const root = hex(8);
  const started = now();
  return {
    trace_id,
    async span(childName, childAttributes, work) {
      const id = hex(8);
      const from = now();
      let failure: unknown;
      try {
        return await work({ traceparent: `00-${trace_id}-${id}-01` });
      } catch (error) {
        failure = error;
        throw error;
      } finally {
        record(trace_id, id, root, childName, from, childAttributes, failure);
      }
    },
    end(error) {
      record(trace_id, root, undefined, name, started, attributes, error);
    },
  };
}

function record(
  traceId: string,
  spanId: string,
  parent: string | undefined,
  name: string,
  from: string,
  attributes: Attributes,
  error: unknown,
): void {
  pending.push({
    traceId,
    spanId,
    ...(parent ? { parentSpanId: parent } : {}),
    name,
    kind: CLIENT,
    startTimeUnixNano: from,
    endTimeUnixNano: now(),
    attributes: Object.entries(attributes).map(([key, value]) => ({
      key,
      value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value },
    })),
    status: error === undefined ? {} : { code: ERROR, message: error instanceof Error ? error.message : String(error) },
  });
  timer ??= window.setTimeout(send, SEND_EVERY_MS);
}

/** Telemetry never disturbs the work: what cannot be sent is let go. */
function send(): void {
  window.clearTimeout(timer);
  timer = undefined;
  if (pending.length === 0) return;
  const spans = pending;
  pending = [];
  const resource = {
    attributes: Object.entries({
      'service.name': 'caudal-browser',
      'service.namespace': 'caudal',
      'service.instance.id': INSTANCE,
    }).map(([key, stringValue]) => ({ key, value: { stringValue } })),
  };
  const body = { resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'console' }, spans }] }] };
  void fetch('/v1/traces', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    keepalive: true,
  }).catch(() => undefined);
}

window.addEventListener('pagehide', send);

function now(): string {
  const ms = performance.timeOrigin + performance.now();
  return `${BigInt(Math.round(ms * 1000)) * 1000n}`;
}

function hex(bytes: number): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, '0')).join(
    '',
  );
}
