import { Type } from 'typebox';
import { allows } from '#contract/principal.ts';
import { ReaderOptions } from '#contract/reader-options.ts';
import { Task } from '#contract/tasks.ts';
import { VideoOptions } from '#contract/video.ts';
import { fail } from '#kernel/errors.ts';
import type { Db } from '#platform/db/db.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { getTask, toTask } from './tasks.ts';

interface Origin {
  workspace_id: string;
  user_id: string;
  /** One of the two. */
  url?: string;
  file_id?: string;
}

export interface SubmitDeps {
  db: Db;
  startVideo(request: Origin & { options?: VideoOptions }): Promise<{ id: string }>;
  startLoad(request: Origin & { dataset?: string; options?: ReaderOptions }): Promise<{ id: string }>;
}

/** What a load through here may say: where the rows go, and the reader's options. */
const LoadOptions = Type.Object(
  { dataset: Type.Optional(Type.String({ maxLength: 1000 })), ...ReaderOptions.properties },
  { additionalProperties: false },
);
type LoadOptions = Type.Static<typeof LoadOptions>;

/** Which options there are depends on the kind; a union would answer a typing mistake with all that both know. */
const optionsOf = (schema: Type.TSchema) => ({ properties: { options: schema } });
const SubmitBody = Type.Object(
  {
    url: Type.Optional(Type.String({ minLength: 1, maxLength: 8192, description: 'http or https, on a public host' })),
    file_id: Type.Optional(Type.String({ description: 'A file that has arrived' })),
    kind: Type.Optional(Type.Enum(['video', 'load'], { description: 'video is the default' })),
    options: Type.Optional(Type.Unsafe<VideoOptions | LoadOptions>(Type.Object({}))),
  },
  {
    additionalProperties: false,
    // biome-ignore lint/suspicious/noThenProperty: JSON Schema's keyword
    ...{ if: { properties: { kind: { const: 'load' } }, required: ['kind'] }, then: optionsOf(LoadOptions) },
    else: optionsOf(VideoOptions),
  },
);

export function submitRoute(deps: SubmitDeps) {
  return async (app: App): Promise<void> => {
    app.post(
      '/tasks',
      {
        config: { access: { scope: 'tasks:write' } },
        schema: {
          tags: ['tasks'],
          summary: 'Process a video (default) or load a table, from a URL or a stored file',
          body: SubmitBody,
          response: { 202: Task },
        },
      },
      async (request, reply) => {
        const principal = principalOf(request);
        const { kind = 'video', url, file_id, options } = request.body;
        const { workspace_id, user_id, scopes } = principal;
        mayRead(scopes, file_id);
        const origin: Origin = {
          ...{ workspace_id, user_id },
          ...(url === undefined ? {} : { url }),
          ...(file_id === undefined ? {} : { file_id }),
        };
        const { id } =
          kind === 'load'
            ? await load(deps, scopes, origin, (options ?? {}) as LoadOptions)
            : await deps.startVideo({ ...origin, ...(options ? { options: options as VideoOptions } : {}) });
        const task = toTask(await getTask(deps.db, workspace_id, id));
        return reply.status(202).header('Location', `/tasks/${task.id}`).send(task);
      },
    );
  };
}

/** The result shows what is in the file. */
function mayRead(scopes: readonly string[], fileId: string | undefined): void {
  if (fileId === undefined || allows(scopes, 'files:read') || allows(scopes, 'files:write')) return;
  throw fail('forbidden', 'Working on a file needs a scope for files as well (files:read).');
}

function load(
  deps: SubmitDeps,
  scopes: readonly string[],
  origin: Origin,
  { dataset, ...options }: LoadOptions,
): Promise<{ id: string }> {
  if (!allows(scopes, 'datasets:write', dataset)) {
    throw fail('forbidden', 'Loading needs a scope for datasets as well (datasets:write).');
  }
  return deps.startLoad({ ...origin, ...(dataset === undefined ? {} : { dataset }), options });
}
