import type { Span } from '@opentelemetry/api';
import type { LineageStep } from '#contract/video.ts';
import { withSpan } from '#platform/observe/tracing.ts';

type Attributes = LineageStep['attributes'];

/** Records every step twice from one source: as a span of the trace, and as what is shown beside the clips. */
export interface Lineage {
  steps: LineageStep[];
  /** Runs a step; what `note` is given is added to its attributes. */
  step<T>(name: string, attributes: Attributes, work: (note: (more: Attributes) => void) => Promise<T>): Promise<T>;
}

export function createLineage(common: Attributes, now: () => Date): Lineage {
  const steps: LineageStep[] = [];
  return {
    steps,
    step: (name, attributes, work) =>
      withSpan(name, { attributes: { ...common, ...prefixed(attributes) } }, async (span: Span) => {
        const started = now();
        const at = performance.now();
        const step: LineageStep = {
          step: name,
          span_id: span.isRecording() ? span.spanContext().spanId : null,
          started_at: started.toISOString(),
          ms: 0,
          attributes: { ...attributes },
        };
        steps.push(step);
        const result = await work((more) => {
          Object.assign(step.attributes, more);
          span.setAttributes(prefixed(more));
        });
        step.ms = Math.round(performance.now() - at);
        return result;
      }),
  };
}

function prefixed(attributes: Attributes): Attributes {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [name.includes('.') ? name : `caudal.video.${name}`, value]),
  );
}
