import type { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { allows, type Principal } from '#contract/principal.ts';
import { CaudalError, fail } from '#kernel/errors.ts';
import { type Db, transaction } from '#platform/db/db.ts';
import { abandoned } from '#platform/http/abandoned.ts';
import { type App, checkAccess, principalOf } from '#platform/http/app.ts';
import { actorOf, audit } from '#platform/http/audit.ts';
import { sendKept } from '#platform/http/etag.ts';
import { attachment, negotiate, type ResultFormat, SUFFIXES } from '#platform/http/formats.ts';
import { withSpan } from '#platform/observe/tracing.ts';
import { checkDefinition, EndpointDefinition, openApiOf, readParameters, type Value } from './endpoint-definition.ts';
import {
  deleteEndpoint,
  type Endpoint,
  endpointVersions,
  findEndpoint,
  findPublicEndpoint,
  listEndpoints,
  saveEndpoint,
} from './endpoints.ts';

type Kept = { kind: 'kept'; body: Buffer; headers: Record<string, string>; hit?: boolean };
type Streamed = { kind: 'stream'; body: Readable; headers: Record<string, string> };

interface SqlQuestion {
  query: string;
  parameters: Value[] | Record<string, Value>;
  format: ResultFormat;
  orient: 'rows' | 'columns';
  limit?: number;
  safe: boolean;
}

export interface EndpointDeps {
  db: Db;
  /** A user's SQL as a principal, in its sandbox. */
  sql: { run(principal: Principal, question: SqlQuestion, signal: AbortSignal): Promise<Kept | Streamed> };
}

const NAME = '^[a-z][a-z0-9_-]{0,62}$';
const Params = Type.Object({ name: Type.String() });
const Named = Type.Object({ name: Type.String({ pattern: NAME }) });

const Answer = Type.Object({
  ...{
    name: Type.String(),
    version: Type.Integer(),
    public: Type.Boolean(),
    author: Type.String(),
    created_at: Type.String(),
  },
  description: Type.Optional(Type.String()),
  url: Type.String(),
  parameters: Type.Array(Type.Unknown()),
  query: Type.Optional(Type.String({ description: 'For those who may read datasets' })),
  limits: Type.Optional(Type.Unknown()),
});
const List = Type.Object({ items: Type.Array(Answer), next_cursor: Type.Null() });

const ReadQuery = Type.Object(
  {
    orient: Type.Optional(Type.Enum(['rows', 'columns'] as const)),
    limit: Type.Optional(Type.Integer({ minimum: 1 })),
    safe: Type.Optional(Type.Boolean()),
    v: Type.Optional(Type.Integer({ minimum: 1, description: 'An earlier version of the definition' })),
  },
  { additionalProperties: true, description: 'And the parameters of the endpoint' },
);

/** Saved queries as an API: `PUT`, `DELETE`, the list, and reading one. */
export function endpointRoutes(deps: EndpointDeps): (app: App) => void {
  const tags = ['endpoints'];
  const read = { access: { scope: 'endpoints:read', named: 'name', orPublic: true } } as const;
  const write = { access: { scope: 'datasets:write' } } as const;
  const admit = perSecond();
  return (app) => {
    app.get(
      '/endpoints',
      {
        config: { access: { scope: 'endpoints:read', some: true } },
        schema: { tags, summary: 'Published queries', response: { 200: List } },
      },
      async (request) => {
        const { workspace_id, scopes } = principalOf(request);
        const found = await listEndpoints(deps.db, workspace_id);
        const visible = found.filter(({ name }) => allows(scopes, 'endpoints:read', name));
        return { items: visible.map((endpoint) => show(endpoint, scopes)), next_cursor: null };
      },
    );
    app.put(
      '/endpoints/:name',
      {
        config: write,
        schema: {
          tags,
          summary: 'Publish a query; a change is its next version',
          params: Named,
          body: EndpointDefinition,
          response: { 200: Answer, 201: Answer },
        },
      },
      async (request, reply) => {
        const principal = principalOf(request);
        const { name } = request.params;
        checkDefinition(request.body);
        await tryOut(deps, principal, request.body, abandoned(request, reply));
        const { created, changed } = await transaction(deps.db, async (tx) => {
          const saved = await saveEndpoint(tx, principal, name, request.body);
          if (saved.changed)
            await audit(tx, {
              ...actorOf(request),
              action: 'endpoint.published',
              target: name,
              detail: { public: request.body.public === true },
            });
          return saved;
        });
        const endpoint = (await findEndpoint(deps.db, principal.workspace_id, name)) ?? missing(name);
        reply.header('X-Unchanged', String(!changed));
        return reply.status(created ? 201 : 200).send(show(endpoint, principal.scopes));
      },
    );
    app.delete(
      '/endpoints/:name',
      { config: write, schema: { tags, summary: 'Withdraw it', params: Params, response: { 204: Type.Null() } } },
      async (request, reply) => {
        const { workspace_id } = principalOf(request);
        const { name } = request.params;
        await transaction(deps.db, async (tx) => {
          if (!(await deleteEndpoint(tx, workspace_id, name))) missing(name);
          await audit(tx, { ...actorOf(request), action: 'endpoint.deleted', target: name });
        });
        return reply.status(204).send(null);
      },
    );
    app.get(
      '/endpoints/:name/openapi.json',
      {
        config: read,
        schema: { tags, summary: 'Its own OpenAPI document', params: Params, response: { 200: Type.Unknown() } },
      },
      async (request) => {
        const { name, version, definition } = await allowed(deps.db, request, request.params.name);
        return openApiOf(name, version, definition);
      },
    );
    app.get(
      '/endpoints/:name/versions',
      {
        config: { access: { scope: 'datasets:read' } },
        schema: { tags, summary: 'Its definitions, newest first', params: Params, response: { 200: List } },
      },
      async (request) => {
        const { workspace_id, scopes } = principalOf(request);
        const found = await endpointVersions(deps.db, workspace_id, request.params.name);
        if (found.length === 0) missing(request.params.name);
        return { items: found.map((endpoint) => show(endpoint, scopes)), next_cursor: null };
      },
    );
    app.get(
      '/endpoints/:name',
      {
        config: read,
        schema: {
          tags,
          summary: 'What the query answers now; .csv, .ndjson, .parquet, .xlsx after the name for other formats',
          params: Params,
          querystring: ReadQuery,
          response: { 200: Type.Unknown() },
        },
        serializerCompiler: () => (body) => body as string,
      },
      async (request, reply) => {
        const [name, format] = nameAndFormat(request.params.name, request.headers.accept);
        const endpoint = await allowed(deps.db, request, name, request.query.v);
        admit(endpoint);
        return answer(deps, request, reply, endpoint, format);
      },
    );
  };
}

function show({ name, version, definition, author, created_at }: Endpoint, scopes: readonly string[]) {
  const { query, description, parameters = [], limits } = definition;
  return {
    ...{ name, version, author, parameters, public: definition.public === true, created_at: created_at.toISOString() },
    url: `/endpoints/${name}`,
    ...(description ? { description } : {}),
    ...(allows(scopes, 'datasets:read') ? { query } : {}),
    ...(limits ? { limits } : {}),
  };
}

function missing(name: string): never {
  throw fail('endpoint_not_found', `There is no endpoint "${name.slice(0, 100)}".`);
}

function nameAndFormat(written: string, accept: string | undefined): [name: string, format: ResultFormat] {
  const suffix = SUFFIXES.find((each) => written.endsWith(`.${each}`));
  return suffix ? [written.slice(0, -suffix.length - 1), suffix] : [written, negotiate(accept)];
}

/** The caller's own endpoint with the right scope, or a public one. @throws unauthenticated, forbidden, endpoint_not_found */
async function allowed(db: Db, request: FastifyRequest, name: string, version?: number): Promise<Endpoint> {
  const { principal } = request;
  const own = principal ? await findEndpoint(db, principal.workspace_id, name, version) : undefined;
  if (own?.definition.public && version === undefined) return own;
  const open = own || version !== undefined ? undefined : await findPublicEndpoint(db, name);
  if (open) return open;
  checkAccess({ scope: 'endpoints:read', named: 'name' }, principal, { name });
  return own ?? missing(name);
}

/** Compiles and runs it once for one row: what cannot work is not published. */
async function tryOut(
  deps: EndpointDeps,
  principal: Principal,
  definition: EndpointDefinition,
  signal: AbortSignal,
): Promise<void> {
  const values = Object.fromEntries(
    (definition.parameters ?? []).map(({ name, default: initial, enum: choices }) => [
      name,
      initial ?? choices?.[0] ?? null,
    ]),
  );
  const question = {
    query: definition.query,
    parameters: parametersOf(values),
    format: 'json',
    orient: 'rows',
    limit: 1,
    safe: false,
  } as const;
  await deps.sql.run(principal, question, signal);
}

function parametersOf(values: Record<string, Value>): Value[] | Record<string, Value> {
  return Object.keys(values).length === 0 ? [] : values;
}

async function answer(
  deps: EndpointDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  endpoint: Endpoint,
  format: ResultFormat,
) {
  const { definition, name, version } = endpoint;
  const query = request.query as { orient?: 'rows' | 'columns'; limit?: number; safe?: boolean };
  const values = readParameters(definition, query as Record<string, unknown>);
  const limit = Math.min(query.limit ?? Number.POSITIVE_INFINITY, definition.limits?.rows ?? Number.POSITIVE_INFINITY);
  const attributes = { 'caudal.endpoint': name, 'caudal.workspace': endpoint.workspace_id };
  const question: SqlQuestion = {
    ...{ query: definition.query, parameters: parametersOf(values), format, safe: query.safe ?? false },
    orient: query.orient ?? definition.orient ?? 'rows',
    ...(Number.isFinite(limit) ? { limit } : {}),
  };
  const found = await withSpan('endpoint', { attributes }, () =>
    deps.sql.run(asAuthor(endpoint), question, abandoned(request, reply)).catch((error: unknown) => {
      throw ofEndpoint(endpoint, request.principal, error);
    }),
  );
  reply.header('Vary', 'Accept').header('X-Endpoint-Version', version);
  if (definition.public) reply.header('Access-Control-Allow-Origin', '*');
  if (format !== 'json') reply.header('Content-Disposition', attachment(name, format));
  reply.header('X-Cache', found.kind === 'kept' && found.hit ? 'HIT' : 'MISS');
  return found.kind === 'kept' ? sendKept(request, reply, found) : reply.headers(found.headers).send(found.body);
}

/** The query reads what its author might when it was published, and nothing that the caller may besides. */
function asAuthor({ workspace_id, user_id, author, scopes, id }: Endpoint): Principal {
  return {
    kind: 'token',
    user_id,
    username: author,
    workspace_id,
    role: 'viewer',
    scopes,
    operator: false,
    credential_id: id,
  };
}

/** A dataset that went or changed since is no fault of the caller's; why is told to those who may read the query. */
function ofEndpoint({ name, workspace_id }: Endpoint, caller: Principal | null, error: unknown): unknown {
  if (!(error instanceof CaudalError) || !['sql_syntax', 'sql_error', 'sql_refused'].includes(error.code)) return error;
  const insider = caller?.workspace_id === workspace_id && allows(caller.scopes, 'datasets:read');
  return fail('endpoint_broken', `The query of "${name}" does not work${insider ? `: ${error.message}` : '.'}`, {
    hint: 'Its owner publishes it again (PUT /endpoints/{name}) once its datasets are as the query expects.',
    cause: error,
  });
}

const SECOND = 1000;

/** An endpoint's own limit, over all callers of this process. @throws rate_limited */
function perSecond(): (endpoint: Endpoint) => void {
  let began = performance.now();
  let counts = new Map<string, number>();
  return ({ id, definition }) => {
    const most = definition.limits?.per_second;
    if (most === undefined) return;
    if (performance.now() - began >= SECOND) {
      began = performance.now();
      counts = new Map();
    }
    const used = (counts.get(id) ?? 0) + 1;
    counts.set(id, used);
    if (used > most) throw fail('rate_limited', `This endpoint takes ${most} requests a second.`, { retry_after: 1 });
  };
}
