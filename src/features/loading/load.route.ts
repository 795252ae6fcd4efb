import { Type } from 'typebox';
import { allows } from '#contract/principal.ts';
import { ReaderOptions } from '#contract/reader-options.ts';
import { Task } from '#contract/tasks.ts';
import { fail } from '#kernel/errors.ts';
import type { Db } from '#platform/db/db.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { findDatasetNamed } from '#platform/lake/dataset-rows.ts';
import type { Enqueue } from '#platform/queue/enqueue.ts';
import { startLoad } from './start-load.ts';
import { startReplay } from './start-replay.ts';

export interface LoadRouteDeps {
  db: Db;
  enqueue: Enqueue;
  /** A task as the API shows it. @throws task_not_found */
  describeTask(workspaceId: string, taskId: string): Promise<Task>;
}

const Params = Type.Object({ name: Type.String() });

const LoadBody = Type.Object(
  {
    file_id: Type.Optional(Type.String()),
    url: Type.Optional(Type.String({ maxLength: 8192 })),
    ...ReaderOptions.properties,
  },
  { additionalProperties: false },
);

const ReplayBody = Type.Object(
  {
    ids: Type.Optional(Type.Array(Type.String(), { minItems: 1, maxItems: 10_000 })),
    all: Type.Optional(Type.Boolean({ description: 'Everything that waits in quarantine' })),
    fix: Type.Optional(
      Type.Record(Type.String(), Type.String({ maxLength: 10_000 }), {
        description:
          'Column → SQL expression over the record’s columns (as text), `_fields` (list of its texts), `_raw` and `_line`',
      }),
    ),
    types: Type.Optional(Type.Record(Type.String(), Type.String({ maxLength: 20 }))),
  },
  { additionalProperties: false },
);

/** Every task answer has the task's own members and the task as `task`, as uploads answer it. */
const TaskAnswer = Type.Intersect([Task, Type.Object({ task: Task })]);

export function loadRoutes(deps: LoadRouteDeps) {
  return (app: App): void => {
    const config = { access: { scope: 'datasets:write', named: 'name' } } as const;
    const tags = ['datasets'];

    app.post(
      '/datasets/:name/load',
      {
        config,
        schema: {
          tags,
          summary: 'Load a file or a URL into it',
          params: Params,
          body: LoadBody,
          response: { 202: TaskAnswer },
        },
      },
      async (request, reply) => {
        const { workspace_id, user_id, scopes } = principalOf(request);
        const { name } = await findDatasetNamed(deps.db, workspace_id, request.params.name);
        const { file_id, url, ...options } = request.body;
        if (file_id !== undefined && !allows(scopes, 'files:read') && !allows(scopes, 'files:write')) {
          throw fail('forbidden', 'Loading a file needs a scope for files as well (files:read).');
        }
        const started = await startLoad(deps, {
          ...{ workspace_id, user_id, dataset: name, options },
          ...(file_id === undefined ? {} : { file_id }),
          ...(url === undefined ? {} : { url }),
        });
        const task = await deps.describeTask(workspace_id, started.id);
        return reply
          .status(202)
          .header('Location', `/tasks/${task.id}`)
          .send({ ...task, task });
      },
    );

    app.post(
      '/datasets/:name/quarantine/replay',
      {
        config,
        schema: {
          tags,
          summary: 'Try quarantined records again, with a fix',
          params: Params,
          body: ReplayBody,
          response: { 202: TaskAnswer },
        },
      },
      async (request, reply) => {
        const { workspace_id, user_id } = principalOf(request);
        const { id: dataset_id } = await findDatasetNamed(deps.db, workspace_id, request.params.name);
        const started = await startReplay(deps, { workspace_id, user_id, dataset_id, ...request.body });
        const task = await deps.describeTask(workspace_id, started.id);
        return reply
          .status(202)
          .header('Location', `/tasks/${task.id}`)
          .send({ ...task, task });
      },
    );
  };
}
