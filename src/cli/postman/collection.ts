import { JOURNEY, type Step } from './journey.ts';
import { type Schema, sampleOf } from './sample.ts';

interface Operation {
  operationId?: string;
  summary?: string;
  tags?: string[];
  security?: unknown[];
  parameters?: { name: string; in: string; required?: boolean; description?: string }[];
  requestBody?: { content?: Record<string, { schema?: Schema }> };
  responses?: Record<string, { content?: Record<string, { schema?: Schema }> }>;
}

export interface ApiDocument {
  info: { title: string; version: string };
  paths: Record<string, Record<string, Operation>>;
}

interface Header {
  key: string;
  value: string;
}

interface Script {
  listen: 'prerequest' | 'test';
  script: { type: 'text/javascript'; exec: string[] };
}

export interface Item {
  name: string;
  item?: Item[];
  event?: Script[];
  request?: {
    method: string;
    auth?: { type: 'noauth' };
    header: Header[];
    url: string;
    body?: { mode: 'raw'; raw: string };
    description?: string;
  };
}

export interface Collection {
  info: { name: string; schema: string; description: string };
  auth: { type: 'bearer'; bearer: { key: string; value: string; type: string }[] };
  variable: { key: string; value: string }[];
  item: Item[];
}

const FORMAT = 'https://schema.getpostman.com/json/collection/v2.1.0/collection.json';

/**
 * A Postman collection (format 2.1) of the API: a journey from sign-up to deletion whose steps check their answers, and
 * with `reference` every operation by its tag. Only the journey is independent of what else the API can do.
 * @throws when a step names an operation that the document does not have
 */
export function collectionOf(document: ApiDocument, { reference }: { reference: boolean }): Collection {
  const journey = { name: 'Journey', item: JOURNEY.map((step) => journeyItem(document, step)) };
  return {
    info: {
      name: document.info.title,
      schema: FORMAT,
      description:
        'Made from the OpenAPI document by `caudal openapi --postman`. Run the folder "Journey" from top to bottom; ' +
        '`baseUrl` names the gateway. Sign-up and login set what the later steps need.',
    },
    auth: { type: 'bearer', bearer: [{ key: 'token', value: '{{token}}', type: 'string' }] },
    variable: [
      { key: 'baseUrl', value: 'http://127.0.0.1:5050' },
      { key: 'token', value: '' },
    ],
    item: reference ? [journey, ...byTag(document)] : [journey],
  };
}

function operationOf(document: ApiDocument, { method, path }: Pick<Step, 'method' | 'path'>): Operation {
  const operation = document.paths[path]?.[method.toLowerCase()];
  if (!operation) throw new Error(`The API has no ${method} ${path}.`);
  return operation;
}

function journeyItem(document: ApiDocument, step: Step): Item {
  const operation = step.outside ? undefined : operationOf(document, step);
  const statuses = Array.isArray(step.status) ? step.status : [step.status];
  const tests = [
    `pm.test('answers ${statuses.join(' or ')}', () => pm.expect(pm.response.code).to.be.oneOf([${statuses}]));`,
    "pm.test('has a trace', () => pm.expect(pm.response.headers.get('X-Trace-Id') || 'untraced').to.match(/^([0-9a-f]{32}|untraced)$/));",
    ...(step.free ? [] : requiredOf(operation, statuses[0])),
    ...(step.test ?? []),
  ];
  return {
    name: step.name,
    event: [...(step.before ? [script('prerequest', step.before)] : []), script('test', tests)],
    request: {
      method: step.method,
      ...(operation?.security?.length === 0 || step.outside ? { auth: { type: 'noauth' as const } } : {}),
      header: step.header ?? (step.body === undefined ? [] : JSON_HEADER),
      url: step.url ?? `{{baseUrl}}${variablesIn(step.path)}`,
      ...(step.body === undefined
        ? {}
        : { body: { mode: 'raw' as const, raw: typeof step.body === 'string' ? step.body : pretty(step.body) } }),
      ...(operation?.summary ? { description: operation.summary } : {}),
    },
  };
}

const JSON_HEADER = [{ key: 'Content-Type', value: 'application/json' }];
const pretty = (body: unknown): string => JSON.stringify(body, null, 2);
const variablesIn = (path: string): string => path.replaceAll(/\{([^}]+)\}/g, '{{$1}}');

/** What the document promises of the answer: each required member is there. */
function requiredOf(operation: Operation | undefined, status: number | undefined): string[] {
  const schema = operation?.responses?.[String(status)]?.content?.['application/json']?.schema;
  const required = schema?.type === 'object' ? [...(schema.required ?? [])].sort() : [];
  if (required.length === 0) return [];
  return [
    `pm.test('holds what the document promises', () => { if (pm.response.code === ${status}) pm.expect(pm.response.json()).to.include.all.keys(${JSON.stringify(required)}); });`,
  ];
}

function script(listen: Script['listen'], exec: string[]): Script {
  return { listen, script: { type: 'text/javascript', exec } };
}

function byTag(document: ApiDocument): Item[] {
  const tags = new Map<string, Item[]>();
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const tag = operation.tags?.[0] ?? 'other';
      tags.set(tag, [...(tags.get(tag) ?? []), referenceItem(method.toUpperCase(), path, operation)]);
    }
  }
  return [...tags]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([name, item]) => ({ name, item: item.sort((a, b) => a.name.localeCompare(b.name)) }));
}

function referenceItem(method: string, path: string, operation: Operation): Item {
  const schema = operation.requestBody?.content?.['application/json']?.schema;
  const query = (operation.parameters ?? []).filter((each) => each.in === 'query' && each.required);
  const search = query.length > 0 ? `?${query.map(({ name }) => `${name}=`).join('&')}` : '';
  const documented = Object.keys(operation.responses ?? {}).filter((status) => /^\d{3}$/.test(status));
  return {
    name: `${method} ${path}`,
    event: [
      script('test', [
        `pm.test('answers as documented, or with a problem', () => { if (![${documented}].includes(pm.response.code)) pm.expect(pm.response.headers.get('Content-Type')).to.match(/problem\\+json/); });`,
        "pm.test('does not fail', () => pm.expect(pm.response.code).to.be.below(500));",
      ]),
    ],
    request: {
      method,
      ...(operation.security?.length === 0 ? { auth: { type: 'noauth' as const } } : {}),
      header: schema ? JSON_HEADER : [],
      url: `{{baseUrl}}${variablesIn(path)}${search}`,
      ...(schema ? { body: { mode: 'raw' as const, raw: pretty(sampleOf(schema)) } } : {}),
      ...(operation.summary ? { description: operation.summary } : {}),
    },
  };
}
