import { type Context, trace } from '@opentelemetry/api';
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace';

/** Whose a span or a log line of Caudal's own processes is; without it, it is the installation's. */
export const WORKSPACE = 'caudal.workspace';

/** Says whose work the active span (and what starts below it from now on) is. */
export function tagWorkspace(workspaceId: string): void {
  trace.getActiveSpan()?.setAttribute(WORKSPACE, workspaceId);
}

/** The workspace of the active span, if it is known. */
export function activeWorkspace(): string | undefined {
  return workspaceOf(trace.getActiveSpan());
}

function workspaceOf(span: unknown): string | undefined {
  const value = (span as Partial<ReadableSpan> | undefined)?.attributes?.[WORKSPACE];
  return typeof value === 'string' ? value : undefined;
}

/**
 * A span belongs to whom its local parent belongs, so that only the outermost span of a request or task has to
 * say it. Over process boundaries it is said again: in baggage it would travel to the hosts of others.
 */
export function workspaceInheritance(): SpanProcessor {
  return {
    onStart(span, parent: Context) {
      if (span.attributes[WORKSPACE] !== undefined) return;
      const inherited = workspaceOf(trace.getSpan(parent));
      if (inherited !== undefined) span.setAttribute(WORKSPACE, inherited);
    },
    onEnd: () => undefined,
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.resolve(),
  };
}
