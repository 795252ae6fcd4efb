import { Type } from 'typebox';
import { OperationsAnswer, ServicesAnswer } from '#contract/telemetry.ts';
import { fail } from '#kernel/errors.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import type { TelemetryReader } from './reader.ts';
import { closedRange, Page, stepOf, visibilityOf } from './request.ts';

const config = { access: { scope: 'telemetry:read' } } as const;
const tags = ['observability'];
const Window = {
  from: Page.from,
  to: Page.to,
  system: Type.Optional(Type.String({ maxLength: 400 })),
};
const MOST_POINTS = 120;
/** Rates are kept by the minute. */
const LEAST_STEP_MS = 60_000;

/** Who is there, who calls whom, and how well: rate, errors, durations. Without `from`, of the last hour. */
export function serviceRoutes({ reader }: { reader: Pick<TelemetryReader, 'services' | 'operations'> }) {
  return async (app: App): Promise<void> => {
    app.get(
      '/telemetry/services',
      {
        config,
        schema: {
          tags,
          summary: 'The service map: services and their calls, with rate, errors and durations',
          querystring: Type.Object(Window),
          response: { 200: ServicesAnswer },
        },
      },
      (request) => {
        const { system, ...range } = request.query;
        const search = { range: closedRange(range), ...(system === undefined ? {} : { system }) };
        return reader.services(visibilityOf(principalOf(request)), search);
      },
    );
    app.get(
      '/telemetry/services/:service',
      {
        config,
        schema: {
          tags,
          summary: 'One service: rate, errors and durations by operation and over time',
          params: Type.Object({ service: Type.String() }),
          querystring: Type.Object(Window),
          response: { 200: OperationsAnswer },
        },
      },
      async (request) => {
        const { system, ...given } = request.query;
        const range = closedRange(given);
        const answer = await reader.operations(visibilityOf(principalOf(request)), {
          range,
          service: request.params.service,
          step_ms: stepOf(range, MOST_POINTS, LEAST_STEP_MS),
          ...(system === undefined ? {} : { system }),
        });
        if (answer.operations.length === 0) {
          throw fail('service_not_found', 'No such service was seen in this time.');
        }
        return answer;
      },
    );
  };
}
