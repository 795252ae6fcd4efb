import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { abandoned } from '#platform/http/abandoned.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { sendKept } from '#platform/http/etag.ts';
import { attachment, negotiate, type ResultFormat, SUFFIXES } from '#platform/http/formats.ts';
import type { Parameters } from './sandbox/protocol.ts';
import type { SqlAnswer as Answer, SqlService } from './sql.ts';

export interface SqlRouteDeps {
  sql: SqlService;
}

const Scalar = Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()]);
const Value = Type.Union([Scalar, Type.Array(Scalar)]);

const SqlBody = Type.Object(
  {
    query: Type.String({
      minLength: 1,
      maxLength: 500_000,
      description: 'One SELECT over your datasets, in DuckDB’s SQL',
    }),
    params: Type.Optional(
      Type.Union([Type.Array(Value), Type.Record(Type.String(), Value)], {
        description: 'Values for ?, $1 (an array) or $name (an object)',
      }),
    ),
    orient: Type.Optional(Type.Union([Type.Literal('rows'), Type.Literal('columns')])),
    limit: Type.Optional(Type.Integer({ minimum: 1 })),
    safe: Type.Optional(
      Type.Boolean({ description: 'CSV only: an apostrophe before text that a spreadsheet would evaluate' }),
    ),
  },
  { additionalProperties: false },
);

const SqlAnswer = Type.Object(
  {
    columns: Type.Array(Type.Object({ name: Type.String(), type: Type.String() })),
    rows: Type.Array(Type.Record(Type.String(), Type.Unknown())),
    next_cursor: Type.Null(),
    truncated: Type.Boolean({ description: '`limit` cut the answer' }),
    versions: Type.Record(Type.String(), Type.Integer(), { description: 'The version of each dataset that was read' }),
  },
  { description: 'As JSON with orient=rows; other formats stream' },
);

/** `POST /sql`, with a suffix or Accept for the format. */
export function sqlRoutes({ sql }: SqlRouteDeps): (app: App) => void {
  return (app) => {
    const paths: [suffix: string, format: ResultFormat | undefined][] = [
      ['', undefined],
      ...SUFFIXES.map((format): [string, ResultFormat] => [`.${format}`, format]),
    ];
    for (const [suffix, fixed] of paths) {
      app.post(
        `/sql${suffix}`,
        {
          config: { access: { scope: 'datasets:read', some: true }, idempotent: false },
          schema: { tags: ['datasets'], summary: 'Read-only SQL', body: SqlBody, response: { 200: SqlAnswer } },
        },
        async (request, reply) => {
          const { query, params, orient, limit, safe } = request.body;
          const format = fixed ?? negotiate(request.headers.accept);
          const question = {
            query,
            parameters: (params ?? []) as Parameters,
            format,
            orient: orient ?? 'rows',
            ...(limit === undefined ? {} : { limit }),
            safe: safe ?? false,
          } as const;
          return send(request, reply, format, await sql.run(principalOf(request), question, abandoned(request, reply)));
        },
      );
    }
  };
}

function send(request: FastifyRequest, reply: FastifyReply, format: ResultFormat, answer: Answer): FastifyReply {
  reply.header('Vary', 'Accept');
  if (format !== 'json') reply.header('Content-Disposition', attachment('result', format));
  if (answer.kind === 'kept') return sendKept(request, reply, answer);
  return reply.headers(answer.headers).send(answer.body);
}
