import type { Attributes } from '@opentelemetry/api';
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici';

/**
 * Client spans and `traceparent` for fetch and undici. It listens on diagnostics channels, so it needs no
 * loader. Query strings stay out of spans: signed URLs carry their right in them.
 */
export function traceOutgoingRequests(): { disable(): void } {
  return new UndiciInstrumentation({
    requireParentforSpans: true,
    startSpanHook(request): Attributes {
      const path = request.path.split('?', 1)[0] ?? '';
      return { 'url.full': `${request.origin}${path}`, 'url.query': '' };
    },
  });
}
