import { Type } from 'typebox';
import {
  CompletedUpload,
  NewUpload,
  PartNumbers,
  PartTags,
  PartUrls,
  StartedUpload,
  UploadStatus,
} from '#contract/uploads.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { abortUpload } from './abort-upload.ts';
import { completeUpload } from './complete-upload.ts';
import type { UploadDeps } from './deps.ts';
import { beginUpload, describeUpload, moreUrls } from './uploads.ts';

const Id = Type.Object({ id: Type.String() });
/** Ten thousand parts with their ETags. */
const PARTS_BODY = 2 << 20;

export function uploadRoutes(deps: UploadDeps) {
  return async (app: App): Promise<void> => {
    const write = { access: { scope: 'files:write' } } as const;
    const repeatable = { ...write, idempotent: false } as const;
    const tags = ['uploads'];

    app.post(
      '/uploads',
      {
        config: write,
        schema: { tags, summary: 'Begin an upload', body: NewUpload, response: { 201: StartedUpload } },
      },
      async (request, reply) => {
        const started = await beginUpload(deps, principalOf(request), request.body);
        return reply.status(201).header('Location', `/uploads/${started.upload_id}`).send(started);
      },
    );

    app.post(
      '/uploads/:id/urls',
      {
        config: repeatable,
        schema: { tags, summary: 'Sign more parts', params: Id, body: PartNumbers, response: { 200: PartUrls } },
      },
      async (request) => moreUrls(deps, principalOf(request), request.params.id, request.body.part_numbers),
    );

    app.get(
      '/uploads/:id',
      {
        config: write,
        schema: { tags, summary: 'What has arrived, to resume', params: Id, response: { 200: UploadStatus } },
      },
      async (request) => describeUpload(deps, principalOf(request), request.params.id),
    );

    app.post(
      '/uploads/:id/complete',
      {
        config: repeatable,
        bodyLimit: PARTS_BODY,
        schema: {
          tags,
          summary: 'Make the file of its parts, and load it',
          params: Id,
          body: PartTags,
          response: { 202: CompletedUpload },
        },
      },
      async (request, reply) => {
        const done = await completeUpload(deps, principalOf(request), request.params.id, request.body.parts);
        return reply
          .status(202)
          .header('Location', done.task ? `/tasks/${done.task.id}` : `/files/${done.file.id}`)
          .send(done);
      },
    );

    app.delete(
      '/uploads/:id',
      {
        config: write,
        schema: { tags, summary: 'Abort; leaves no bytes', params: Id, response: { 204: Type.Null() } },
      },
      async (request, reply) => {
        await abortUpload(deps, principalOf(request).workspace_id, request.params.id);
        return reply.status(204).send(null);
      },
    );
  };
}
