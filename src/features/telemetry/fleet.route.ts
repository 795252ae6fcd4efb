import { type Static, Type } from 'typebox';
import { FLEET_STATES, FleetAnswer, ImpactAnswer } from '#contract/telemetry.ts';
import { CaudalError, invalid } from '#kernel/errors.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { type ImpactDeps, impactOf } from './impact.ts';
import type { TelemetryReader, TouchedSearch } from './reader.ts';
import { closedRange, Page, rangeOf, visibilityOf } from './request.ts';

export interface FleetDeps extends ImpactDeps {
  reader: Pick<TelemetryReader, 'fleet' | 'touched' | 'reports'>;
  /** A new task with the same input. @throws task_not_retryable and others below 500 */
  rerun(workspaceId: string, taskId: string, userId: string): Promise<{ id: string }>;
}

const tags = ['observability'];
const access = { scope: 'telemetry:read' } as const;

const Cause = {
  trace_id: Type.Optional(Type.String({ pattern: '^[0-9a-fA-F]{32}$' })),
  span_id: Type.Optional(
    Type.String({ pattern: '^[0-9a-fA-F]{16}$', description: 'With trace_id: what lies below it' }),
  ),
  instance: Type.Optional(Type.String({ maxLength: 400 })),
  release: Type.Optional(Type.String({ description: 'service.version', maxLength: 400 })),
  from: Page.from,
  to: Page.to,
};
const CauseObject = Type.Object(Cause);

const Rerun = Type.Object({
  tasks: Type.Array(Type.Object({ task_id: Type.String(), rerun_of: Type.String() })),
  skipped: Type.Array(Type.Object({ task_id: Type.String(), code: Type.String(), reason: Type.String() })),
});

/** All systems at a glance, and what something bad has touched. */
export function fleetRoutes(deps: FleetDeps) {
  return async (app: App): Promise<void> => {
    app.get(
      '/fleet',
      {
        config: { access },
        schema: {
          tags,
          summary: 'Every system, worst first: health, quantiles, trends',
          querystring: Type.Object({
            state: Type.Optional(Type.Enum(FLEET_STATES)),
            from: Page.from,
            to: Page.to,
          }),
          response: { 200: FleetAnswer },
        },
      },
      async (request) => {
        const { state, ...range } = request.query;
        const answer = await deps.reader.fleet(visibilityOf(principalOf(request)), closedRange(range));
        return state === undefined ? answer : { ...answer, items: answer.items.filter((item) => item.state === state) };
      },
    );
    app.get(
      '/telemetry/impact',
      {
        config: { access },
        schema: {
          tags,
          summary: 'Blast radius: tasks, files, rows, datasets and reports that something touched',
          querystring: CauseObject,
          response: { 200: ImpactAnswer },
        },
      },
      (request) => impactOf(deps, visibilityOf(principalOf(request)), searchOf(request.query)),
    );
    app.post(
      '/telemetry/impact/rerun',
      {
        config: { access: { scope: 'tasks:write' } },
        schema: {
          tags,
          summary: 'Run the ended tasks of a blast radius again',
          body: CauseObject,
          response: { 202: Rerun },
        },
      },
      async (request, reply) => {
        const { workspace_id, user_id, operator } = principalOf(request);
        const { tasks } = await impactOf(deps, { workspace_id, operator }, searchOf(request.body));
        const answer: Static<typeof Rerun> = { tasks: [], skipped: [] };
        for (const { id: task_id } of tasks) {
          try {
            const again = await deps.rerun(workspace_id, task_id, user_id);
            answer.tasks.push({ task_id: again.id, rerun_of: task_id });
          } catch (error) {
            if (!(error instanceof CaudalError) || error.status >= 500) throw error;
            answer.skipped.push({ task_id, code: error.code, reason: error.message });
          }
        }
        return reply.status(202).send(answer);
      },
    );
  };
}

function searchOf(cause: Static<typeof CauseObject>): TouchedSearch {
  const { trace_id, span_id, instance, release, from, to } = cause;
  if (span_id !== undefined && trace_id === undefined) throw invalid('trace_id', 'A span is named with its trace.');
  const named = trace_id !== undefined || instance !== undefined || release !== undefined;
  if (!named && (from === undefined || to === undefined)) {
    throw invalid('trace_id', 'Name a trace, an instance, a release, or a time with from and to.');
  }
  return {
    ...(trace_id === undefined ? {} : { trace_id: trace_id.toLowerCase() }),
    ...(span_id === undefined ? {} : { span_id: span_id.toLowerCase() }),
    ...(instance === undefined ? {} : { instance }),
    ...(release === undefined ? {} : { release }),
    range: rangeOf({ from, to }),
  };
}
