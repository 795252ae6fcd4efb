import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { Column } from '#contract/column-schema.ts';
import { abandoned } from '#platform/http/abandoned.ts';
import type { AnswerCache } from '#platform/http/answer-cache.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { etagOf, sendKept } from '#platform/http/etag.ts';
import { attachment, FORMATS, negotiate, type ResultFormat, SUFFIXES } from '#platform/http/formats.ts';
import type { DatasetSnapshot } from '#platform/lake/snapshot.ts';
import { histogram } from '#platform/observe/metrics/instruments.ts';
import { readCursor } from './cursor.ts';
import { exportRows, type Page, type RowsDeps, type RowsParameters, readPage } from './rows.ts';

export interface RowRouteDeps extends RowsDeps {
  /** The newest version, or `version`. @throws dataset_not_found, version_not_found, version_gone */
  snapshot(ref: { workspace_id: string; name: string; version?: number }): Promise<DatasetSnapshot>;
  cache: AnswerCache;
}

const Names = Type.Union([Type.String(), Type.Array(Type.String())]);

const RowsQuery = Type.Object(
  {
    select: Type.Optional(Names),
    order: Type.Optional(Names),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, description: 'JSON: at most 1,000, default 50. Other formats: default all.' }),
    ),
    cursor: Type.Optional(Type.String()),
    orient: Type.Optional(Type.Union([Type.Literal('rows'), Type.Literal('columns')])),
    include: Type.Optional(Type.String({ description: '`source` adds _source, _line, _loaded_at' })),
    count: Type.Optional(Type.Boolean({ description: 'Adds `total`' })),
    version: Type.Optional(Type.Integer({ minimum: 0 })),
    safe: Type.Optional(
      Type.Boolean({
        description:
          'CSV only: an apostrophe before text that a spreadsheet would evaluate. Without it the data is as stored.',
      }),
    ),
  },
  {
    additionalProperties: true,
    description: 'Filters: where[column]=value, where[column][eq|ne|gt|gte|lt|lte|in|like|is_null]=value',
  },
);

const RowsAnswer = Type.Object(
  {
    columns: Type.Array(Type.Pick(Column, ['name', 'type'])),
    rows: Type.Array(Type.Record(Type.String(), Type.Unknown())),
    next_cursor: Type.Union([Type.String(), Type.Null()]),
    version: Type.Integer(),
    total: Type.Optional(Type.Integer()),
  },
  { description: 'As JSON with orient=rows; other formats stream' },
);

/** `GET /datasets/{name}/rows`, with a suffix or Accept for the format. */
export function rowRoutes(deps: RowRouteDeps): (app: App) => void {
  return (app) => {
    const paths: [suffix: string, format: ResultFormat | undefined][] = [
      ['', undefined],
      ...SUFFIXES.map((format): [string, ResultFormat] => [`.${format}`, format]),
    ];
    for (const [suffix, format] of paths) {
      app.get(
        `/datasets/:name/rows${suffix}`,
        {
          config: { access: { scope: 'datasets:read', named: 'name' } },
          schema: {
            tags: ['datasets'],
            summary: 'Rows: filtered, sorted, paged, in any format',
            params: Type.Object({ name: Type.String() }),
            querystring: RowsQuery,
            response: { 200: RowsAnswer },
          },
        },
        (request, reply) => answer(deps, request, reply, format ?? negotiate(request.headers.accept)),
      );
    }
  };
}

async function answer(deps: RowRouteDeps, request: FastifyRequest, reply: FastifyReply, format: ResultFormat) {
  const { workspace_id } = principalOf(request);
  const { name } = request.params as { name: string };
  const parameters = request.query as RowsParameters;
  const version = pinnedVersion(parameters);
  const snapshot = await deps.snapshot({ workspace_id, name, ...(version === undefined ? {} : { version }) });
  reply.header('Vary', 'Accept');
  if (format === 'json') return answerPage(deps, request, reply, snapshot);
  reply.header('X-Dataset-Version', snapshot.version);
  const signal = abandoned(request, reply);
  const { body } = await exportRows(deps, snapshot, parameters, format, signal);
  return reply.type(FORMATS[format].contentType).header('Content-Disposition', attachment(name, format)).send(body);
}

/** A cursor goes on in the version it began in. */
function pinnedVersion(parameters: RowsParameters): number | undefined {
  const version = parameters['version'] as number | undefined;
  if (parameters['cursor'] === undefined) return version;
  return readCursor(String(parameters['cursor'])).version;
}

/** A page of a version never changes, so it is kept until it is pushed out. */
async function answerPage(deps: RowRouteDeps, request: FastifyRequest, reply: FastifyReply, snapshot: DatasetSnapshot) {
  const url = request.raw.url ?? '';
  const end = url.indexOf('?');
  const key = `rows ${snapshot.workspace_id} ${snapshot.id} ${snapshot.version} ${end === -1 ? '' : url.slice(end)}`;
  let kept = deps.cache.get(key);
  if (!kept) {
    const began = performance.now();
    const page = await readPage(deps, snapshot, request.query as RowsParameters, abandoned(request, reply));
    histogram('caudal.query.duration').record((performance.now() - began) / 1000, {
      'caudal.query.kind': 'rows',
      'caudal.workspace': snapshot.workspace_id,
    });
    kept = { body: Buffer.from(page.body), headers: headersOf(key, url, snapshot, page) };
    deps.cache.set(key, kept);
  }
  return sendKept(request, reply, kept);
}

function headersOf(key: string, url: string, snapshot: DatasetSnapshot, page: Page): Record<string, string> {
  const last = page.offset + page.rows - 1;
  const range = page.rows === 0 ? '*' : `${page.offset}-${last}`;
  const headers: Record<string, string> = {
    'Content-Type': FORMATS.json.contentType,
    'Content-Range': `rows ${range}/${page.total ?? '*'}`,
    'X-Dataset-Version': String(snapshot.version),
    ETag: etagOf(key),
  };
  if (page.next_cursor !== null) headers['Link'] = `<${withCursor(url, page.next_cursor)}>; rel="next"`;
  return headers;
}

function withCursor(url: string, cursor: string): string {
  const [path = '', query = ''] = url.split('?', 2);
  const rest = query.split('&').filter((part) => part !== '' && !part.startsWith('cursor='));
  return `${path}?${[...rest, `cursor=${cursor}`].join('&')}`;
}
