import type { FastifyError } from 'fastify';
import { Type } from 'typebox';
import { CaudalError, type ErrorCode, type FieldError, fail } from '#kernel/errors.ts';
import { isUnavailable } from '#platform/db/db.ts';

/** RFC 9457 problem details, as every error of the API is answered. */
export const Problem = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    code: Type.String({ description: 'Stable; see docs/errors.md' }),
    hint: Type.Optional(Type.String()),
    trace_id: Type.Union([Type.String(), Type.Null()]),
    errors: Type.Optional(
      Type.Array(Type.Object({ field: Type.String(), code: Type.String(), message: Type.String() })),
    ),
  },
  { $id: 'Problem', additionalProperties: true },
);

export const PROBLEM_JSON = 'application/problem+json; charset=utf-8';

export function toProblem(error: CaudalError, traceId: string | null): Record<string, unknown> {
  return {
    type: `urn:caudal:error:${error.code}`,
    title: error.title,
    status: error.status,
    detail: error.message,
    code: error.code,
    ...(error.hint ? { hint: error.hint } : {}),
    trace_id: traceId,
    ...(error.errors ? { errors: error.errors } : {}),
    ...error.members,
  };
}

/** What Fastify and Node call errors of a request, and what we call them. */
const KNOWN: Record<string, [code: ErrorCode, detail: string]> = {
  FST_ERR_CTP_INVALID_JSON_BODY: ['invalid_json', 'The body is not valid JSON.'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['invalid_json', 'The body is empty, but its content type is JSON.'],
  FST_ERR_CTP_BODY_TOO_LARGE: ['payload_too_large', 'The body is larger than this call accepts.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported_media_type', 'This call does not accept that content type.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['bad_request', 'The body is not as long as Content-Length says.'],
  FST_ERR_CTP_INVALID_TYPE: ['unsupported_media_type', 'The content type is malformed.'],
  FST_ERR_NOT_FOUND: ['not_found', 'There is nothing at this address.'],
  FST_ERR_BAD_URL: ['bad_request', 'The address is malformed.'],
  FST_ERR_MAX_PARAM_LENGTH: ['not_found', 'There is nothing at this address.'],
};

/** PostgreSQL's character_not_in_repertoire and untranslatable_character: NUL in a text, or `\\u0000` in JSON. */
const UNSTORABLE = new Set(['22021', '22P05']);

/** Any thrown thing as one of ours; what is unknown stays the cause and is answered plainly. */
export function toCaudalError(error: unknown): CaudalError {
  if (error instanceof CaudalError) return error;
  const fastify = error as FastifyError;
  if (Array.isArray(fastify?.validation)) return invalidInput(fastify);
  const known = typeof fastify?.code === 'string' ? KNOWN[fastify.code] : undefined;
  if (known) return fail(known[0], known[1], { cause: error });
  if (error instanceof SyntaxError && fastify.statusCode === 400) {
    return fail('invalid_json', 'The body is not valid JSON.', { cause: error });
  }
  if (UNSTORABLE.has(fastify?.code)) {
    return fail('invalid_input', 'A text holds the character NUL, which cannot be stored.', { cause: error });
  }
  if (isUnavailable(error)) {
    return fail('not_ready', 'The database is not reachable at the moment.', { retry_after: 2, cause: error });
  }
  if (fastify?.statusCode !== undefined && fastify.statusCode >= 400 && fastify.statusCode < 500) {
    return fail('bad_request', fastify.message, { cause: error });
  }
  return fail('internal', 'Something went wrong inside Caudal; the log holds the cause under this trace id.', {
    cause: error,
  });
}

function invalidInput(error: FastifyError): CaudalError {
  // `if` only says that one of its branches did not fit; the branch says itself what is wrong.
  const causes = (error.validation ?? []).filter(({ keyword }) => keyword !== 'if');
  const errors: FieldError[] = causes.slice(0, 20).map((each) => {
    const path = each.instancePath.replace(/^\//, '').replaceAll('/', '.');
    const missing = (each.params as { missingProperty?: string }).missingProperty;
    const extra = (each.params as { additionalProperty?: string }).additionalProperty;
    const field = [path, missing ?? extra].filter(Boolean).join('.') || (error.validationContext ?? 'body');
    return { field, code: each.keyword ?? 'invalid', message: `${field} ${each.message ?? 'is not acceptable'}` };
  });
  const summary = errors.map((each) => each.message).join('; ');
  return fail('invalid_input', summary || error.message, { errors, cause: error });
}
