import { type Static, Type } from 'typebox';
import { type FieldError, fail, invalid } from '#kernel/errors.ts';

export const PARAMETER_TYPES = ['text', 'integer', 'number', 'boolean', 'date', 'timestamp', 'uuid'] as const;

const Scalar = Type.Union([Type.String(), Type.Number(), Type.Boolean()]);

export const EndpointParameter = Type.Object(
  {
    name: Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]{0,62}$', description: '$name in the query' }),
    type: Type.Enum(PARAMETER_TYPES),
    required: Type.Optional(Type.Boolean()),
    default: Type.Optional(Scalar),
    enum: Type.Optional(Type.Array(Scalar, { minItems: 1, maxItems: 1000 })),
    description: Type.Optional(Type.String({ maxLength: 1000 })),
  },
  { additionalProperties: false },
);
export type EndpointParameter = Static<typeof EndpointParameter>;

export const EndpointDefinition = Type.Object(
  {
    query: Type.String({ minLength: 1, maxLength: 100_000, description: 'One SELECT; parameters as $name' }),
    parameters: Type.Optional(Type.Array(EndpointParameter, { maxItems: 100 })),
    description: Type.Optional(Type.String({ maxLength: 2000 })),
    public: Type.Optional(Type.Boolean({ description: 'Anybody may read it, rate-limited' })),
    orient: Type.Optional(Type.Enum(['rows', 'columns'] as const)),
    limits: Type.Optional(
      Type.Object(
        {
          rows: Type.Optional(Type.Integer({ minimum: 1 })),
          per_second: Type.Optional(
            Type.Integer({ minimum: 1, maximum: 100_000, description: 'Requests, per process' }),
          ),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);
export type EndpointDefinition = Static<typeof EndpointDefinition>;

/** What the query string of every endpoint means, whatever its parameters are. */
export const RESERVED = ['orient', 'limit', 'safe', 'v'];

export type Value = string | number | boolean | null;
type Read = { value: Value } | { wrong: string };

const INTEGER = /^[+-]?\d{1,18}$/;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?$/i;
const DATE = /^\d{4}-\d\d-\d\d$/;
const TIMESTAMP = /^\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?)?$/;
const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

const isDay = (text: string): boolean => {
  const day = text.slice(0, 10);
  const time = Date.parse(`${day}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(day);
};

const READERS: Record<EndpointParameter['type'], (text: string) => Value | undefined> = {
  text: (text) => text,
  integer: (text) => (INTEGER.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : undefined),
  number: (text) => (NUMBER.test(text) ? Number(text) : undefined),
  boolean: (text) => ({ true: true, '1': true, false: false, '0': false })[text.toLowerCase()],
  date: (text) => (DATE.test(text) && isDay(text) ? text : undefined),
  timestamp: (text) => (TIMESTAMP.test(text) && isDay(text) ? text : undefined),
  uuid: (text) => (UUID.test(text) ? text : undefined),
};

function readOne(parameter: EndpointParameter, text: string): Read {
  const value = READERS[parameter.type](text);
  if (value === undefined) return { wrong: `"${text.slice(0, 100)}" is no ${parameter.type}.` };
  if (parameter.enum && !parameter.enum.includes(value as string)) {
    return { wrong: `"${text.slice(0, 100)}" is none of ${parameter.enum.join(', ')}.`.slice(0, 500) };
  }
  return { value };
}

/** A definition that contradicts itself is refused when it is published. @throws invalid_input */
export function checkDefinition({ parameters = [] }: EndpointDefinition): void {
  const seen = new Set<string>();
  parameters.forEach((parameter, index) => {
    const field = `parameters.${index}`;
    if (RESERVED.includes(parameter.name))
      throw invalid(`${field}.name`, `"${parameter.name}" means something else in every endpoint.`);
    if (seen.has(parameter.name))
      throw invalid(`${field}.name`, `There are two parameters called "${parameter.name}".`);
    seen.add(parameter.name);
    const given = [...(parameter.enum ?? []), ...(parameter.default === undefined ? [] : [parameter.default])];
    for (const value of given) {
      const read = readOne(parameter, String(value));
      if ('wrong' in read) throw invalid(field, read.wrong);
    }
  });
}

/** Values for the query, by name. @throws invalid_input naming every parameter that is missing, wrong or unknown */
export function readParameters(
  { parameters = [] }: EndpointDefinition,
  given: Readonly<Record<string, unknown>>,
): Record<string, Value> {
  const errors: FieldError[] = [];
  const values: Record<string, Value> = {};
  for (const parameter of parameters) {
    const { name } = parameter;
    const written = Object.hasOwn(given, name) ? given[name] : undefined;
    if (written === undefined) {
      if (parameter.required && parameter.default === undefined) {
        errors.push({ field: name, code: 'required', message: `The parameter ${name} is missing.` });
      }
      values[name] = parameter.default ?? null;
      continue;
    }
    const read: Read = Array.isArray(written)
      ? { wrong: `${name} is given twice.` }
      : readOne(parameter, String(written));
    if ('wrong' in read) errors.push({ field: name, code: 'invalid', message: read.wrong });
    else values[name] = read.value;
  }
  const known = new Set([...parameters.map(({ name }) => name), ...RESERVED]);
  for (const name of Object.keys(given)) {
    if (!known.has(name))
      errors.push({
        field: name.slice(0, 100),
        code: 'unknown',
        message: `There is no parameter "${name.slice(0, 100)}".`,
      });
  }
  const [first] = errors;
  if (first) throw fail('invalid_input', first.message, { errors });
  return values;
}

const JSON_TYPES: Record<EndpointParameter['type'], Record<string, string>> = {
  text: { type: 'string' },
  integer: { type: 'integer' },
  number: { type: 'number' },
  boolean: { type: 'boolean' },
  date: { type: 'string', format: 'date' },
  timestamp: { type: 'string', format: 'date-time' },
  uuid: { type: 'string', format: 'uuid' },
};

/** The OpenAPI document of one endpoint. */
export function openApiOf(name: string, version: number, definition: EndpointDefinition): Record<string, unknown> {
  const own = (definition.parameters ?? []).map((parameter) => ({
    ...{ name: parameter.name, in: 'query', required: parameter.required === true && parameter.default === undefined },
    ...(parameter.description ? { description: parameter.description } : {}),
    schema: {
      ...JSON_TYPES[parameter.type],
      ...(parameter.enum ? { enum: parameter.enum } : {}),
      ...(parameter.default === undefined ? {} : { default: parameter.default }),
    },
  }));
  const orient = { name: 'orient', in: 'query', schema: { type: 'string', enum: ['rows', 'columns'] } };
  const limit = { name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1 } };
  const problem = { description: 'A problem', content: { 'application/problem+json': { schema: { type: 'object' } } } };
  return {
    openapi: '3.1.0',
    info: {
      title: name,
      version: String(version),
      ...(definition.description ? { description: definition.description } : {}),
    },
    paths: {
      [`/endpoints/${name}`]: {
        get: {
          operationId: name.replaceAll('-', '_'),
          summary: definition.description ?? name,
          parameters: [...own, orient, limit],
          responses: {
            200: { description: 'Rows, or columns', content: { 'application/json': { schema: { type: 'object' } } } },
            422: problem,
            default: problem,
          },
          ...(definition.public ? { security: [] } : { security: [{ token: [] }] }),
        },
      },
    },
    components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
  };
}
