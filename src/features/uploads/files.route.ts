import { Type } from 'typebox';
import { FILE_STATES, File } from '#contract/files.ts';
import { Task } from '#contract/tasks.ts';
import { fail } from '#kernel/errors.ts';
import { isUuid } from '#kernel/ids.ts';
import { type App, checkAccess, principalOf } from '#platform/http/app.ts';
import { actorOf, audit } from '#platform/http/audit.ts';
import { deleteFile } from './delete-file.ts';
import type { UploadDeps } from './deps.ts';
import { getFile, listFiles, toFile } from './files.ts';

const Id = Type.Object({ id: Type.String() });
const FileList = Type.Object({ items: Type.Array(File), next_cursor: Type.Union([Type.String(), Type.Null()]) });
const ListQuery = Type.Object({
  limit: Type.Integer({ minimum: 1, maximum: 1000, default: 50 }),
  cursor: Type.Optional(Type.String()),
  state: Type.Optional(Type.Enum(FILE_STATES)),
  dataset: Type.Optional(Type.String({ maxLength: 1000 })),
  photos: Type.Optional(Type.Boolean({ description: 'Photos that came with rows, instead of uploads' })),
});

/** What a browser shows by itself and what cannot run anything there: it is sent with `nosniff` and a sandbox. */
const PLAYED = /^(?:video\/(?:mp4|webm)|image\/(?:jpeg|png|webp|avif))$/;

export function fileRoutes(deps: UploadDeps) {
  return async (app: App): Promise<void> => {
    const read = { access: { scope: 'files:read' } } as const;
    const tags = ['files'];

    app.get(
      '/files',
      {
        config: read,
        schema: { tags, summary: 'Files, newest first', querystring: ListQuery, response: { 200: FileList } },
      },
      async (request) => {
        const { limit, cursor, state, dataset, photos } = request.query;
        if (cursor !== undefined && !isUuid(cursor)) throw fail('bad_cursor', 'The cursor is not one of ours.');
        const found = await listFiles(deps.db, principalOf(request).workspace_id, {
          limit: limit + 1,
          ...(cursor === undefined ? {} : { after: cursor }),
          ...(state === undefined ? {} : { state }),
          ...(dataset === undefined ? {} : { dataset }),
          ...(photos === undefined ? {} : { photos }),
        });
        const items = found.slice(0, limit).map(toFile);
        return { items, next_cursor: found.length > limit ? (items.at(-1)?.id ?? null) : null };
      },
    );

    app.get(
      '/files/:id',
      { config: read, schema: { tags, summary: 'One file', params: Id, response: { 200: File } } },
      async (request) => toFile(await getFile(deps.db, principalOf(request).workspace_id, request.params.id)),
    );

    app.get(
      '/files/:id/content',
      { config: read, schema: { tags, summary: 'The bytes: redirects to a signed URL; Range works', params: Id } },
      async (request, reply) => {
        const row = await getFile(deps.db, principalOf(request).workspace_id, request.params.id);
        if (row.state === 'pending') throw fail('file_not_stored', 'The upload of this file has not completed.');
        const isPhoto = row.photo_column !== null;
        if (isPhoto) {
          checkAccess({ scope: 'datasets:read', named: 'name' }, request.principal, { name: row.photo_dataset ?? '' });
          await audit(deps.db, { ...actorOf(request), action: 'photo.read', target: row.id });
        }
        const url = await deps.store.signDownload(row.object_key, {
          filename: row.filename,
          ...(isPhoto ? { disposition: 'inline' as const } : {}),
          ...(row.content_type ? { content_type: row.content_type } : {}),
          disposition: PLAYED.test(row.content_type ?? '') ? 'inline' : 'attachment',
          expires: new Date(deps.clock.now().getTime() + deps.settings.url_lifetime_ms),
        });
        return reply.header('Cache-Control', 'private, no-store').redirect(url, 302);
      },
    );

    app.delete(
      '/files/:id',
      {
        config: { access: { scope: 'files:write' } },
        schema: {
          tags,
          summary: 'Delete the object and the rows it brought',
          params: Id,
          response: { 202: Type.Object({ task: Task }), 204: Type.Null() },
        },
      },
      async (request, reply) => {
        const task = await deleteFile(deps, principalOf(request), request.params.id);
        if (!task) return reply.status(204).send(null);
        return reply.status(202).header('Location', `/tasks/${task.id}`).send({ task });
      },
    );
  };
}
