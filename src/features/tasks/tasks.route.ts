import { Type } from 'typebox';
import { Task } from '#contract/tasks.ts';
import { fail } from '#kernel/errors.ts';
import { isUuid } from '#kernel/ids.ts';
import type { Listener } from '#platform/db/listen.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { openEventStream } from '#platform/http/sse.ts';
import { untraced } from '#platform/observe/tracing.ts';
import type { Enqueue } from '#platform/queue/enqueue.ts';
import { type CancelDeps, cancelTask, getTask, listTasks, retryTask, toTask } from './tasks.ts';

export interface TaskRouteDeps extends CancelDeps {
  enqueue: Enqueue;
  listener: Listener;
}

const Id = Type.Object({ id: Type.String() });
const ENDED = ['succeeded', 'failed', 'cancelled'];

const ListQuery = Type.Object({
  max: Type.Optional(Type.Integer({ minimum: 1, maximum: 50, description: 'A plain array of at most this many' })),
  order: Type.Optional(Type.Integer({ minimum: 0, maximum: 1, description: '0 oldest first, 1 newest first' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
  cursor: Type.Optional(Type.String()),
  kind: Type.Optional(Type.String()),
  status: Type.Optional(Type.String()),
});

const TaskList = Type.Object({
  items: Type.Array(Task),
  next_cursor: Type.Union([Type.String(), Type.Null()]),
});

export function taskRoutes(deps: TaskRouteDeps) {
  return async (app: App): Promise<void> => {
    const read = { access: { scope: 'tasks:read' } } as const;
    const write = { access: { scope: 'tasks:write' } } as const;

    app.get(
      '/tasks',
      {
        config: read,
        schema: {
          tags: ['tasks'],
          summary: 'Tasks, newest first; a plain array with ?max or ?order, else the usual list',
          querystring: ListQuery,
          response: { 200: Type.Union([TaskList, Type.Array(Task)]) },
        },
      },
      async (request) => {
        const { workspace_id } = principalOf(request);
        const { max, order, limit, cursor, kind, status } = request.query;
        const usual = limit !== undefined || cursor !== undefined || kind !== undefined || status !== undefined;
        if (cursor !== undefined && !isUuid(cursor)) throw fail('bad_cursor', 'The cursor is not one of ours.');
        const count = usual ? (limit ?? 50) : (max ?? 50);
        const found = await listTasks(deps.db, workspace_id, {
          ...(kind ? { kind } : {}),
          ...(status ? { status } : {}),
          ...(cursor ? { after: cursor } : {}),
          order: order === 0 ? 'oldest' : 'newest',
          limit: count + 1,
        });
        const items = found.slice(0, count).map(toTask);
        return usual ? { items, next_cursor: found.length > count ? (items.at(-1)?.id ?? null) : null } : items;
      },
    );

    app.get(
      '/tasks/:id',
      { config: read, schema: { tags: ['tasks'], summary: 'One task', params: Id, response: { 200: Task } } },
      async (request) => toTask(await getTask(deps.db, principalOf(request).workspace_id, request.params.id)),
    );

    app.delete(
      '/tasks/:id',
      { config: write, schema: { tags: ['tasks'], summary: 'Cancel', params: Id, response: { 200: Task } } },
      async (request) => toTask(await cancelTask(deps, principalOf(request).workspace_id, request.params.id)),
    );

    app.post(
      '/tasks/:id/retry',
      {
        config: write,
        schema: { tags: ['tasks'], summary: 'Run again as a new task', params: Id, response: { 202: Task } },
      },
      async (request, reply) => {
        const { workspace_id, user_id } = principalOf(request);
        const row = await retryTask(deps.db, deps.enqueue, workspace_id, request.params.id, user_id);
        return reply.status(202).header('Location', `/tasks/${row.id}`).send(toTask(row));
      },
    );

    app.get(
      '/tasks/:id/events',
      { config: read, schema: { tags: ['tasks'], summary: 'Status and progress as server-sent events', params: Id } },
      async (request, reply) => {
        const { workspace_id } = principalOf(request);
        await getTask(deps.db, workspace_id, request.params.id);
        await followTask(deps, workspace_id, request.params.id, openEventStream(reply));
      },
    );
  };
}

const LOOK_EVERY_MS = 250;

/** Progress is read four times a second, changes of status at once; the stream ends with the task. */
async function followTask(
  deps: TaskRouteDeps,
  workspaceId: string,
  id: string,
  stream: ReturnType<typeof openEventStream>,
): Promise<void> {
  let last = '';
  let wake: () => void = () => undefined;
  /** What is announced while the task is being read must not wait for the next look. */
  let announced = false;
  let open = true;
  void stream.closed.then(() => {
    open = false;
    wake();
  });
  const tell = (): void => {
    announced = true;
    wake();
  };
  const stop = deps.listener.on('caudal_tasks', (taskId) => taskId === id && tell(), tell);
  try {
    while (open) {
      announced = false;
      const task = toTask(await untraced(() => getTask(deps.db, workspaceId, id)));
      const seen = `${task.status} ${task.progress} ${task.attempt}`;
      if (seen !== last) stream.send(ENDED.includes(task.status) ? 'end' : 'task', task, seen.replaceAll(' ', '-'));
      last = seen;
      if (ENDED.includes(task.status)) break;
      if (announced) continue;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, LOOK_EVERY_MS);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  } catch {
    // The task or the database went away in the middle; the client reconnects and sees for itself.
  } finally {
    stop();
    stream.end();
  }
}
