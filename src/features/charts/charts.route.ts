import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { abandoned } from '#platform/http/abandoned.ts';
import type { AnswerCache, CachedAnswer } from '#platform/http/answer-cache.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { etagOf, sendKept } from '#platform/http/etag.ts';
import type { DatasetSnapshot } from '#platform/lake/snapshot.ts';
import { histogram } from '#platform/observe/metrics/instruments.ts';
import { withSpan } from '#platform/observe/tracing.ts';
import { type ChartData, type ChartDataDeps, readChartData } from './chart-data.ts';
import { pictureOf } from './chart-option.ts';
import { type ChartQuery, type ChartRequest, KINDS, readChart, THEMES } from './chart-request.ts';
import { type DrawPng, drawSvg } from './draw.ts';
import { labelsOf } from './words.ts';

export interface ChartDeps extends ChartDataDeps {
  /** The newest version, or `version`. @throws dataset_not_found, version_not_found, version_gone */
  snapshot(ref: { workspace_id: string; name: string; version?: number }): Promise<DatasetSnapshot>;
  cache: AnswerCache;
  drawPng: DrawPng;
}

const FORMATS = {
  svg: 'image/svg+xml; charset=utf-8',
  png: 'image/png',
  json: 'application/json; charset=utf-8',
} as const;
type ChartFormat = keyof typeof FORMATS;

/** Bars that a picture shows unless it is told otherwise, and at most. */
const SHOWN: Record<ChartRequest['kind'], number> = { bar: 25, line: 1000, pie: 9, histogram: 1000 };
const MOST_SHOWN = 200;

const ChartParameters = Type.Object(
  {
    // Not required by the schema: who may not see the dataset hears that first.
    x: Type.Optional(Type.String({ description: 'Required: the column whose groups are shown' })),
    y: Type.Optional(
      Type.String({ description: 'count (default), sum(column), avg(column), min(column), max(column)' }),
    ),
    kind: Type.Optional(Type.Enum(KINDS, { description: 'By default a line for dates, bars for the rest' })),
    top: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'The rest is shown as one' })),
    bins: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, description: 'Of a histogram, about' })),
    locale: Type.Optional(Type.String({ maxLength: 35 })),
    theme: Type.Optional(Type.Enum(THEMES)),
    title: Type.Optional(Type.String({ maxLength: 200 })),
    normalize: Type.Optional(Type.Boolean()),
    version: Type.Optional(Type.Integer({ minimum: 0 })),
  },
  { additionalProperties: true, description: 'Filters: where[column]=value, where[column][gte]=value, …' },
);

const ChartAnswer = Type.Object({
  ...{ dataset: Type.String(), version: Type.Integer(), updated_at: Type.String() },
  ...{ kind: Type.String(), x: Type.String(), y: Type.String(), title: Type.String() },
  description: Type.String({ description: 'The chart in words' }),
  points: Type.Array(
    Type.Object({
      x: Type.Unknown(),
      label: Type.String(),
      y: Type.Union([Type.Number(), Type.Null()]),
      rows: Type.Integer(),
    }),
  ),
  rest: Type.Union([
    Type.Object({ groups: Type.Integer(), y: Type.Union([Type.Number(), Type.Null()]), rows: Type.Integer() }),
    Type.Null(),
  ]),
  ...{ groups: Type.Integer(), rows: Type.Integer(), step: Type.Optional(Type.Union([Type.String(), Type.Number()])) },
});

/** `GET /datasets/{name}/chart.svg`, `.png`, `.json`. */
export function chartRoutes(deps: ChartDeps): (app: App) => void {
  return (app) => {
    for (const format of Object.keys(FORMATS) as ChartFormat[]) {
      app.get(
        `/datasets/:name/chart.${format}`,
        {
          config: { access: { scope: 'datasets:read', named: 'name' } },
          schema: {
            tags: ['charts'],
            summary: `A chart as ${format === 'json' ? 'numbers' : 'a picture'}, kept until the data changes`,
            params: Type.Object({ name: Type.String() }),
            querystring: ChartParameters,
            response: { 200: format === 'json' ? ChartAnswer : Type.Unknown({ description: FORMATS[format] }) },
          },
          // The body is finished text: nothing is left to serialise.
          serializerCompiler: () => (body) => body as string,
        },
        (request, reply) => answer(deps, request, reply, format),
      );
    }
  };
}

/** A chart of a version never changes; a report asks for it to be made anew all the same. */
async function answer(deps: ChartDeps, request: FastifyRequest, reply: FastifyReply, format: ChartFormat) {
  const { workspace_id } = principalOf(request);
  const { name } = request.params as { name: string };
  const { version } = request.query as { version?: number };
  const snapshot = await deps.snapshot({ workspace_id, name, ...(version === undefined ? {} : { version }) });
  const query = (request.raw.url ?? '').split('?')[1] ?? '';
  const key = `chart ${format} ${workspace_id} ${snapshot.id} ${snapshot.version} ${snapshot.reports} ${query}`;
  const known = deps.cache.get(key);
  const kept = known ?? (await make(deps, { request, reply, snapshot, format, key }));
  if (!known) deps.cache.set(key, kept);
  const age = (performance.now() - (kept.made_at ?? performance.now())) / 1000;
  reply.header('Age', Math.floor(age)).header('X-Cache', known ? 'HIT' : 'MISS');
  return sendKept(request, reply, kept);
}

interface Making {
  request: FastifyRequest;
  reply: FastifyReply;
  snapshot: DatasetSnapshot;
  format: ChartFormat;
  key: string;
}

async function make(deps: ChartDeps, { request, reply, snapshot, format, key }: Making): Promise<CachedAnswer> {
  const asked = readChart(request.query as ChartQuery, snapshot);
  const shown =
    format === 'json'
      ? asked
      : { ...asked, top: Math.min(asked.top ?? SHOWN[asked.kind], asked.kind === 'line' ? 1000 : MOST_SHOWN) };
  const began = performance.now();
  const attributes = { 'caudal.workspace': snapshot.workspace_id, 'caudal.dataset': snapshot.name };
  const body = await withSpan('make chart', { attributes }, async () => {
    const data = await readChartData(deps, snapshot, shown, abandoned(request, reply));
    return format === 'json' ? Buffer.from(jsonOf(snapshot, shown, data)) : draw(deps, shown, data, format);
  });
  histogram('caudal.query.duration').record((performance.now() - began) / 1000, {
    ...{ 'caudal.query.kind': 'chart', 'caudal.workspace': snapshot.workspace_id },
  });
  return {
    body,
    made_at: performance.now(),
    headers: {
      'Content-Type': FORMATS[format],
      'X-Dataset-Version': String(snapshot.version),
      ETag: etagOf(key),
      ...(format === 'svg' ? { 'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'" } : {}),
    },
  };
}

async function draw(deps: ChartDeps, request: ChartRequest, data: ChartData, format: ChartFormat): Promise<Buffer> {
  const labels = labelsOf(request, data);
  const picture = pictureOf(request, data, labels);
  const svg = await drawSvg(picture, labels);
  return format === 'svg' ? Buffer.from(svg) : deps.drawPng(svg, picture.height);
}

function jsonOf(snapshot: DatasetSnapshot, request: ChartRequest, data: ChartData): string {
  const { title, description, x: names } = labelsOf(request, data);
  const y = request.y ? `${request.aggregate}(${request.y.name})` : request.aggregate;
  return JSON.stringify({
    ...{ dataset: snapshot.name, version: snapshot.version, updated_at: snapshot.updated_at.toISOString() },
    ...{ kind: request.kind, x: request.x.name, y, title, description },
    ...{
      ...data,
      points: data.points.map(({ x, y: value, rows }, index) => ({ x, label: names[index], y: value, rows })),
    },
  });
}
