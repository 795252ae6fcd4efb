import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { CaudalError, fail } from '#kernel/errors.ts';
import { isUuid } from '#kernel/ids.ts';
import type { App } from '#platform/http/app.ts';
import { withSpan } from '#platform/observe/tracing.ts';
import { tagWorkspace } from '#platform/observe/workspace.ts';
import type { OpenObject } from './disk-files.ts';
import { readObject } from './disk-files.ts';
import type { DiskStore } from './disk-store.ts';
import { contentDisposition } from './disposition.ts';
import { ifRangeHolds, noneMatchHits, parseRange } from './range.ts';
import type { DownloadGrant, PartGrant } from './signature.ts';

export interface SignedRouteOptions {
  /** Origins whose pages may PUT parts and read objects (the console's, when it is served from elsewhere). */
  origins?: string[];
}

const PartParams = Type.Object({ upload: Type.String(), part: Type.String() });
const PartQuery = Type.Object({
  offset: Type.Integer({ minimum: 0 }),
  length: Type.Integer({ minimum: 0 }),
  expires: Type.Integer({ minimum: 0 }),
  signature: Type.String({ maxLength: 100 }),
});
const ObjectParams = Type.Object({ '*': Type.String() });
const ObjectQuery = Type.Object({
  filename: Type.String({ maxLength: 1000 }),
  type: Type.String({ maxLength: 400 }),
  disposition: Type.Enum(['attachment', 'inline']),
  expires: Type.Integer({ minimum: 0 }),
  signature: Type.String({ maxLength: 100 }),
});

/** A refused body that is shorter is read to its end, so that the client sees the answer; a longer one is cut off. */
const DRAINED = 16 << 20;

/** The disk store's own URLs: `PUT` of a part, `GET` and `HEAD` of an object. The URL itself is the right. */
export function signedObjectRoutes(store: DiskStore, options: SignedRouteOptions = {}): (app: App) => Promise<void> {
  const origins = new Set(options.origins ?? []);
  return async (app) => {
    // Bodies of any type reach the handler as they come from the socket.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));
    app.addHook('onRequest', async (request, reply) => allowOrigin(origins, request, reply));
    const config = { access: 'signed' as const, idempotent: false };

    app.put(
      '/objects/uploads/:upload/parts/:part',
      { config, schema: { summary: 'Send one part', tags: ['objects'], params: PartParams, querystring: PartQuery } },
      async (request, reply) => {
        const { signature, ...place } = request.query;
        const part_number = /^[1-9]\d{0,4}$/.test(request.params.part) ? Number(request.params.part) : 0;
        const etag = await putPart(
          store,
          request,
          { upload_id: request.params.upload, part_number, ...place },
          signature,
        ).catch((error: unknown) => {
          endBody(request, reply, error);
          throw error;
        });
        return reply.header('ETag', etag).status(200).send();
      },
    );
    const schema = { summary: 'Read an object', tags: ['objects'], params: ObjectParams, querystring: ObjectQuery };
    app.route({
      method: ['GET', 'HEAD'],
      url: '/objects/*',
      config,
      exposeHeadRoute: false,
      schema,
      handler: async (request, reply) => {
        const { type, signature, ...query } = request.query;
        const grant: DownloadGrant = { key: request.params['*'], content_type: type, ...query };
        store.signed.verifyDownload(grant, signature);
        return sendObject(await store.signed.open(grant.key), grant, request, reply);
      },
    });
    app.options('/objects/*', { config, schema: { hide: true } }, async (request, reply) => {
      if (!origins.has(request.headers.origin ?? '')) throw fail('forbidden', 'This origin may not call here.');
      return reply
        .header('Access-Control-Allow-Methods', 'PUT, GET, HEAD')
        .header('Access-Control-Allow-Headers', 'content-type, traceparent, tracestate, baggage, range, if-range')
        .header('Access-Control-Max-Age', '600')
        .status(204)
        .send();
    });
  };
}

function allowOrigin(origins: Set<string>, request: FastifyRequest, reply: FastifyReply): void {
  const { origin } = request.headers;
  reply.header('Vary', 'Origin');
  if (!origin || !origins.has(origin)) return;
  reply
    .header('Access-Control-Allow-Origin', origin)
    .header('Access-Control-Expose-Headers', 'ETag, Content-Range, Accept-Ranges, X-Trace-Id')
    .header('Cross-Origin-Resource-Policy', 'cross-origin');
}

/** All that can be refused is refused before a byte of the body is read. */
async function putPart(
  store: DiskStore,
  request: FastifyRequest,
  grant: PartGrant,
  signature: string,
): Promise<string> {
  store.signed.verifyPart(grant, signature);
  const announced = request.headers['content-length'];
  if (announced === undefined || Number(announced) !== grant.length) {
    throw fail(
      'length_mismatch',
      `The URL was signed for ${grant.length} bytes, not ${announced ?? 'an unknown number'}.`,
      {
        hint: 'Send exactly the part, with its Content-Length.',
      },
    );
  }
  if (!isUuid(grant.upload_id)) throw fail('upload_not_found', 'There is no such upload.');
  const lease = await store.signed.lease(grant);
  tagWorkspace(lease.workspace_id);
  const attributes = {
    'caudal.workspace': lease.workspace_id,
    'caudal.file.id': lease.file_id,
    'caudal.upload.id': lease.upload_id,
    'caudal.part.number': lease.part_number,
    'caudal.bytes': grant.length,
  };
  // A browser or CLI that traces sends its own context; whoever only has the URL continues the signer's.
  const carrier = request.headers.traceparent === undefined ? lease.carrier : null;
  return withSpan('put part', { attributes, carrier }, () => store.signed.write(grant, lease, request.raw));
}

/** Whoever still sends after a refusal is read to the end or cut off. */
function endBody(request: FastifyRequest, reply: FastifyReply, error: unknown): void {
  const announced = Number(request.headers['content-length'] ?? Number.POSITIVE_INFINITY);
  const slow = error instanceof CaudalError && error.code === 'request_timeout';
  if (announced <= DRAINED && !slow) request.raw.resume();
  else reply.header('Connection', 'close');
}

async function sendObject(
  object: OpenObject,
  grant: DownloadGrant,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { info } = object;
  try {
    reply
      .header('ETag', info.etag)
      .header('Last-Modified', info.modified_at.toUTCString())
      .header('Accept-Ranges', 'bytes')
      .header('Cache-Control', 'private, no-cache');
    if (noneMatchHits(request.headers['if-none-match'], info.etag)) {
      await object.handle.close();
      return reply.status(304).send();
    }
    const { range: asked, 'if-range': condition } = request.headers;
    const span = ifRangeHolds(condition as string | undefined, info) ? rangeOf(asked, info.size, reply) : undefined;
    reply
      .header('Content-Type', grant.content_type)
      .header('Content-Disposition', contentDisposition(grant.disposition, grant.filename))
      .header(
        'Content-Security-Policy',
        "default-src 'none'; media-src 'self'; img-src 'self'; style-src 'unsafe-inline'; sandbox",
      )
      .header('X-Content-Type-Options', 'nosniff')
      .header('Content-Length', span ? span.end - span.start + 1 : info.size)
      .status(span ? 206 : 200);
    if (span) reply.header('Content-Range', `bytes ${span.start}-${span.end}/${info.size}`);
    if (request.method === 'HEAD') {
      await object.handle.close();
      return reply.send();
    }
    return reply.send(await readObject(object, span));
  } catch (error) {
    await object.handle.close();
    throw error;
  }
}

function rangeOf(asked: string | undefined, size: number, reply: FastifyReply) {
  try {
    return parseRange(asked, size);
  } catch (error) {
    reply.header('Content-Range', `bytes */${size}`).removeHeader('ETag');
    throw error;
  }
}
