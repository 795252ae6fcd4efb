import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import type { FastifySchema, RouteOptions } from 'fastify';
import type { Access } from './app.ts';
import { Problem } from './problem.ts';

/** What `x-caudal-access` says of an operation: who may call it. */
export interface DocumentedAccess {
  kind: 'public' | 'signed' | 'authenticated' | 'scope';
  scope?: string;
  /** Path parameter that a named scope (`datasets:read:sales`) may be limited to. */
  named?: string;
  /** Any named scope suffices: the answer is filtered. */
  some?: boolean;
}

const PROBLEM = '#/components/responses/Problem';

/**
 * The document is made from the routes: their schemas, who may call them (`x-caudal-access`, from
 * `config.access`, which is what is enforced), an operation id, and for each operation the problem
 * document that any error is.
 */
export function openApiOptions(version: string): FastifyDynamicSwaggerOptions {
  return {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Caudal',
        version,
        description: 'Observable ingestion platform: files in, typed datasets out, every row traceable.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: {
        securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'A JWT or an API token (cdl_…)' } },
      },
      security: [{ token: [] }],
    },
    transform: ({ schema, url, route }) => ({ schema: describeOperation(schema, route), url }),
    transformObject: (document) => ('openapiObject' in document ? complete(document.openapiObject) : {}),
  };
}

function describeOperation(schema: FastifySchema | undefined, route: RouteOptions): FastifySchema {
  const access = documented(route.config?.access);
  return {
    ...(access ? { 'x-caudal-access': access } : {}),
    ...(access?.kind === 'public' || access?.kind === 'signed' ? { security: [] } : {}),
    ...schema,
  } as FastifySchema;
}

function documented(access: Access | undefined): DocumentedAccess | undefined {
  if (access === undefined) return undefined;
  return typeof access === 'string' ? { kind: access } : { kind: 'scope', ...access };
}

/** `GET /datasets/{name}/rows` → `get_datasets_name_rows`: unique, as method and path are. */
function operationId(method: string, path: string): string {
  const words = path.replaceAll('*', 'rest').split(/[^A-Za-z0-9_]+/);
  return [method, ...words].filter(Boolean).join('_');
}

type Document = Extract<
  Parameters<NonNullable<FastifyDynamicSwaggerOptions['transformObject']>>[0],
  { openapiObject: unknown }
>['openapiObject'];

function complete(document: Document): Document {
  const { $id: _, ...problem } = Problem as unknown as Record<string, unknown>;
  const paths = Object.fromEntries(
    Object.entries(document.paths ?? {}).map(([path, operations]) => [
      path,
      Object.fromEntries(
        Object.entries(operations ?? {}).map(([method, operation]) => [method, completed(method, path, operation)]),
      ),
    ]),
  );
  return {
    ...document,
    paths,
    components: {
      ...document.components,
      schemas: { ...document.components?.schemas, Problem: problem },
      responses: {
        Problem: {
          description: 'Any error: RFC 9457 problem details with a stable code',
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
    },
  } as Document;
}

function completed(method: string, path: string, operation: unknown): unknown {
  const { responses, ...rest } = operation as { responses?: Record<string, unknown> };
  return { operationId: operationId(method, path), ...rest, responses: { ...responses, default: { $ref: PROBLEM } } };
}
