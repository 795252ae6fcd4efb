import {
  type Attributes,
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { suppressTracing } from '@opentelemetry/core';
import type { Carrier } from '#contract/carrier.ts';
import { CaudalError } from '#kernel/errors.ts';

export { SpanKind };

const tracer = () => trace.getTracer('caudal');

export interface SpanOptions {
  attributes?: Attributes;
  kind?: SpanKind;
  /** Continue this stored context (parent and link) instead of the active one. */
  carrier?: Carrier | null;
}

/** Runs `work` in a span of its own; errors are recorded on it and thrown on. */
export async function withSpan<T>(name: string, options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T> {
  const parent = options.carrier ? contextOf(options.carrier) : context.active();
  const linked = options.carrier ? trace.getSpanContext(parent) : undefined;
  return tracer().startActiveSpan(
    name,
    {
      kind: options.kind ?? SpanKind.INTERNAL,
      attributes: options.attributes ?? {},
      ...(linked ? { links: [{ context: linked }] } : {}),
    },
    parent,
    async (span) => {
      try {
        return await work(span);
      } catch (error) {
        recordError(span, error);
        throw error;
      } finally {
        span.end();
      }
    },
  );
}

export interface PastSpan {
  /** Epoch ms. */
  start: number;
  end: number;
  attributes?: Attributes;
}

/** A span for work that another process did and timed, as a child of the active one. */
export function recordSpan(name: string, { start, end, attributes }: PastSpan): void {
  tracer()
    .startSpan(name, { startTime: start, attributes: attributes ?? {} }, context.active())
    .end(Math.max(start, end));
}

/** Runs `work` without recording anything: polls and plumbing would say nothing about the work they serve. */
export function untraced<T>(work: () => T): T {
  return context.with(suppressTracing(context.active()), work);
}

/** Marks the span failed with the stable code; only faults of ours carry a stack. */
export function recordError(span: Span, error: unknown): void {
  const ours = !(error instanceof CaudalError) || error.status >= 500;
  span.setAttribute('error.type', error instanceof CaudalError ? error.code : 'internal');
  span.setStatus({ code: SpanStatusCode.ERROR, message: (error as Error).message });
  if (ours && error instanceof Error) span.recordException(error);
}

/** The active trace context, to be stored beside work or sent to another process. */
export function currentCarrier(): Carrier {
  const carrier: Carrier = {};
  propagation.inject(context.active(), carrier);
  return carrier;
}

export function contextOf(carrier: Carrier): Context {
  return propagation.extract(ROOT_CONTEXT, carrier);
}

/** The active trace id, or null outside of any span. */
export function currentTraceId(): string | null {
  return trace.getActiveSpan()?.spanContext().traceId ?? null;
}
