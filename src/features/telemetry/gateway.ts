import { fromBinary, fromJsonString } from '@bufbuild/protobuf';
import { context } from '@opentelemetry/api';
import { suppressTracing } from '@opentelemetry/core';
import { fail, isErrorCode } from '#kernel/errors.ts';
import { type Db, first, sql } from '#platform/db/db.ts';
import type { Accepted, OtlpExport, TelemetryIntake } from './intake.ts';
import { headersOfSender } from './internal.ts';
import {
  ExportLogsServiceResponseSchema,
  ExportMetricsServiceResponseSchema,
  ExportTraceServiceResponseSchema,
} from './otlp/generated/otlp_pb.ts';
import type { TelemetryReader } from './reader.ts';
import { encodeQuestion, QUESTION_PATH, type Question, remoteReader } from './remote.ts';

export interface GatewayOptions {
  db: Db;
  internalSecret: string;
}

export type TelemetryGateway = TelemetryIntake & TelemetryReader;

const TIMEOUT_MS = 30_000;
const ADDRESS_MS = 1000;
const RETRY_SECONDS = 2;

/**
 * The telemetry store as a process without one sees it: whatever is sent or asked goes to the telemetry instance
 * that `instances` lists. While there is none: `telemetry_full` (503 with Retry-After), so senders keep and retry.
 */
export function telemetryGateway(options: GatewayOptions): TelemetryGateway {
  const address = addressBook(options.db);
  const post = async (path: string, body: Uint8Array | string, headers: Record<string, string>): Promise<Response> => {
    const target = await address.current();
    if (!target) throw absent();
    try {
      // Our own plumbing: a span for it would say nothing about the request.
      return await context.with(suppressTracing(context.active()), () =>
        fetch(`http://${target}${path}`, {
          method: 'POST',
          body,
          headers,
          redirect: 'error',
          signal: AbortSignal.timeout(TIMEOUT_MS),
        }),
      );
    } catch (error) {
      address.forget();
      throw absent(error);
    }
  };
  const ask = async (question: Question): Promise<unknown> => {
    const headers = {
      ...headersOfSender({ kind: 'internal' }, options.internalSecret),
      'content-type': 'application/json',
    };
    const response = await post(QUESTION_PATH, encodeQuestion(question), headers);
    if (!response.ok) throw await refusal(response);
    return response.json();
  };
  return {
    ...remoteReader(ask),
    async accept(message, sender) {
      const response = await post(`/v1/${message.signal}`, message.body, {
        ...headersOfSender(sender, options.internalSecret),
        'content-type': message.format === 'json' ? 'application/json' : 'application/x-protobuf',
        ...(message.encoding === 'gzip' ? { 'content-encoding': 'gzip' } : {}),
      });
      if (!response.ok) throw await refusal(response);
      return decodeAnswer(message, new Uint8Array(await response.arrayBuffer()));
    },
  };
}

function absent(cause?: unknown) {
  return fail('telemetry_full', 'The telemetry process is not there at the moment.', {
    retry_after: RETRY_SECONDS,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The telemetry process speaks problem+json too: its refusal is passed on as it is. */
async function refusal(response: Response) {
  const problem = (await response.json().catch(() => ({}))) as { code?: unknown; detail?: unknown; hint?: unknown };
  const code = isErrorCode(problem.code) ? problem.code : 'internal';
  const wait = Number(response.headers.get('retry-after') ?? '');
  return fail(code, String(problem.detail ?? 'The telemetry process failed.'), {
    ...(typeof problem.hint === 'string' ? { hint: problem.hint } : {}),
    ...(wait > 0 ? { retry_after: wait } : {}),
  });
}

function decodeAnswer({ signal, format }: OtlpExport, body: Uint8Array): Accepted {
  const read = <
    S extends
      | typeof ExportTraceServiceResponseSchema
      | typeof ExportLogsServiceResponseSchema
      | typeof ExportMetricsServiceResponseSchema,
  >(
    schema: S,
  ) => (format === 'json' ? fromJsonString(schema, new TextDecoder().decode(body)) : fromBinary(schema, body));
  switch (signal) {
    case 'traces': {
      const partial = read(ExportTraceServiceResponseSchema).partialSuccess;
      return { rejected: Number(partial?.rejectedSpans ?? 0), reason: partial?.errorMessage || null };
    }
    case 'logs': {
      const partial = read(ExportLogsServiceResponseSchema).partialSuccess;
      return { rejected: Number(partial?.rejectedLogRecords ?? 0), reason: partial?.errorMessage || null };
    }
    case 'metrics': {
      const partial = read(ExportMetricsServiceResponseSchema).partialSuccess;
      return { rejected: Number(partial?.rejectedDataPoints ?? 0), reason: partial?.errorMessage || null };
    }
  }
}

/**
 * Where the telemetry process is, looked up at most once a second. The role puts its own address into `load`:
 * in a process with several roles `instances.address` is another one's.
 */
function addressBook(db: Db) {
  let known: string | null = null;
  let seen = Number.NEGATIVE_INFINITY;
  return {
    async current(): Promise<string | null> {
      if (known !== null && performance.now() - seen < ADDRESS_MS) return known;
      const row = await first(
        db,
        sql<{ address: string | null }>`
          SELECT coalesce(load->>'telemetry_address', address) AS address FROM instances
          WHERE 'telemetry' = ANY(roles) AND stopped_at IS NULL AND heartbeat_at > now() - interval '15 seconds'
          ORDER BY started_at DESC LIMIT 1`,
      );
      known = row?.address ?? null;
      seen = performance.now();
      return known;
    },
    forget(): void {
      known = null;
    },
  };
}
