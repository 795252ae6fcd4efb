import { create, type DescMessage, type MessageInitShape, toBinary, toJson } from '@bufbuild/protobuf';
import type { FastifyRequest } from 'fastify';
import { allows, type Principal } from '#contract/principal.ts';
import { fail } from '#kernel/errors.ts';
import type { App } from '#platform/http/app.ts';
import { type Accepted, MAX_RECEIVED_BYTES, type OtlpExport, type TelemetryIntake } from './intake.ts';
import { isInternal, senderOfHeaders } from './internal.ts';
import type { OtlpFormat, OtlpSignal } from './otlp/decode.ts';
import {
  ExportLogsServiceResponseSchema,
  ExportMetricsServiceResponseSchema,
  ExportTraceServiceResponseSchema,
} from './otlp/generated/otlp_pb.ts';
import type { Sender } from './otlp/origin.ts';

export interface IntakeDeps {
  intake: TelemetryIntake;
  /** Who sends; decided before the body is read. @throws unauthenticated, forbidden */
  authorizeIntake(request: FastifyRequest): Sender;
}

/**
 * Caudal's own processes show the installation's secret (and pass on whose export it is); everybody else needs a
 * token that may write telemetry, and what they send belongs to its workspace.
 */
export function intakeAuthorizer(internalSecret: string): IntakeDeps['authorizeIntake'] {
  return (request) => {
    if (isInternal(request, internalSecret)) return senderOfHeaders(request);
    const principal: Principal | null = request.principal;
    if (!principal) throw fail('unauthenticated', 'Sign in, or send a token: Authorization: Bearer …');
    if (!allows(principal.scopes, 'telemetry:write')) throw fail('forbidden', 'This needs the scope telemetry:write.');
    return { kind: 'workspace', workspace_id: principal.workspace_id };
  };
}

declare module 'fastify' {
  interface FastifyRequest {
    telemetrySender: Sender | null;
  }
}

const FORMATS: Record<string, OtlpFormat> = { 'application/x-protobuf': 'protobuf', 'application/json': 'json' };
const CONTENT_TYPES: Record<OtlpFormat, string> = { protobuf: 'application/x-protobuf', json: 'application/json' };
const PATHS: Record<OtlpSignal, string> = { traces: '/v1/traces', metrics: '/v1/metrics', logs: '/v1/logs' };

/**
 * OTLP/HTTP (opentelemetry.io/docs/specs/otlp, "OTLP/HTTP"): 200 once the export is durable, with a partial
 * success for what was refused. Never traced: tracing the intake would feed it its own spans for ever.
 */
export function intakeRoutes(deps: IntakeDeps) {
  return async (app: App): Promise<void> => {
    await app.register(async (scope) => {
      scope.decorateRequest('telemetrySender', null);
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser(
        Object.keys(FORMATS),
        { parseAs: 'buffer', bodyLimit: MAX_RECEIVED_BYTES },
        (_, body, done) => done(null, body),
      );
      for (const [signal, path] of Object.entries(PATHS) as [OtlpSignal, string][]) {
        scope.post(
          path,
          {
            config: { access: 'signed', untraced: true, idempotent: false },
            schema: {
              tags: ['observability'],
              summary: `OTLP/HTTP intake of ${signal}: protobuf or JSON, gzip accepted`,
              consumes: Object.keys(FORMATS),
            },
            onRequest: async (request) => {
              request.telemetrySender = deps.authorizeIntake(request);
            },
          },
          async (request, reply) => {
            const message = exportOf(signal, request);
            const sender = request.telemetrySender;
            if (!sender) throw fail('unauthenticated', 'Nobody sent this export.');
            const answer = encodeAnswer(message, await deps.intake.accept(message, sender));
            return reply.header('content-type', CONTENT_TYPES[message.format]).send(answer);
          },
        );
      }
    });
  };
}

/** @throws unsupported_media_type */
function exportOf(signal: OtlpSignal, request: FastifyRequest): OtlpExport {
  const type =
    String(request.headers['content-type'] ?? '')
      .split(';', 1)[0]
      ?.trim()
      .toLowerCase() ?? '';
  const format = FORMATS[type];
  if (!format) throw fail('unsupported_media_type', 'OTLP comes as application/x-protobuf or application/json.');
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'gzip' && encoding !== 'identity') {
    throw fail('unsupported_media_type', 'OTLP bodies may be compressed with gzip, and with nothing else.');
  }
  return { signal, format, encoding, body: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0) };
}

/** In the encoding of the request, as the specification wants; without refusals the message is empty. */
function encodeAnswer({ signal, format }: OtlpExport, { rejected, reason }: Accepted): Buffer {
  const count = BigInt(rejected);
  const error_message = reason ?? '';
  const answer = <S extends DescMessage>(schema: S, partialSuccess: object) => {
    const message = create(schema, (rejected > 0 ? { partialSuccess } : {}) as MessageInitShape<S>);
    return Buffer.from(format === 'json' ? JSON.stringify(toJson(schema, message)) : toBinary(schema, message));
  };
  switch (signal) {
    case 'traces':
      return answer(ExportTraceServiceResponseSchema, { rejectedSpans: count, errorMessage: error_message });
    case 'logs':
      return answer(ExportLogsServiceResponseSchema, { rejectedLogRecords: count, errorMessage: error_message });
    case 'metrics':
      return answer(ExportMetricsServiceResponseSchema, { rejectedDataPoints: count, errorMessage: error_message });
  }
}
