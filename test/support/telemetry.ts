import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import pino from 'pino';
import type { OtlpExport } from '#features/telemetry/intake.ts';
import type { OtlpSignal } from '#features/telemetry/otlp/decode.ts';
import { KEPT } from '#features/telemetry/schema.ts';
import { openStore, type StoreOptions, type TelemetryStore } from '#features/telemetry/store/store.ts';
import { runUpkeep, type UpkeepOptions } from '#features/telemetry/store/upkeep.ts';
import { type Clock, systemClock } from '#kernel/clock.ts';
import type { Db } from '#platform/db/db.ts';
import type { ObjectStore } from '#platform/objects/store.ts';

/** A telemetry store in a directory of its own; closed and removed when the test file ends. */
export async function testTelemetryStore(
  db: Db,
  objects: ObjectStore,
  options: Partial<StoreOptions> = {},
): Promise<TelemetryStore> {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'caudal-telemetry-')));
  const store = await openStore({
    directory,
    db,
    objects,
    log: pino({ level: 'silent' }),
    clock: systemClock,
    memoryLimit: '128MB',
    maxBufferedBytes: 32 << 20,
    diskFloorBytes: 0,
    flushEveryMs: 3_600_000,
    maxBytes: 1e12,
    quotas: { workspace: 1e12, system: 1e12 },
    ...options,
  });
  after(async () => {
    await store.close().catch(() => undefined);
    await rm(directory, { recursive: true, force: true });
  });
  return store;
}

const LONG_MS = 1000 * 3_600_000;

/** Merges what is full by the clock; nothing ages out, and nothing is deleted yet. */
export function compactTestStore({ db, objects, directory, buffer }: TelemetryStore, clock: Clock) {
  return runUpkeep({
    ...{ db, objects, directory, clock, instance: buffer.instance },
    log: pino({ level: 'silent' }),
    keepMs: Object.fromEntries(KEPT.map((kept) => [kept, LONG_MS])) as UpkeepOptions['keepMs'],
    maxBytes: 1e12,
    graceMs: LONG_MS,
  });
}

export function jsonExport(signal: OtlpSignal, content: unknown): OtlpExport {
  return { signal, format: 'json', encoding: 'identity', body: Buffer.from(JSON.stringify(content)) };
}

export interface TestSpan {
  trace: string;
  span: string;
  parent?: string;
  name?: string;
  service?: string;
  /** `service.namespace`; none unless said. */
  system?: string;
  start?: bigint;
  ms?: number;
  error?: boolean;
  /** OTLP's number; 1 (internal) unless said. */
  kind?: number;
  attributes?: Record<string, string | number>;
}

const pairs = (attributes: Record<string, string | number>) =>
  Object.entries(attributes).map(([key, value]) => ({
    key,
    value: typeof value === 'string' ? { stringValue: value } : { intValue: String(value) },
  }));

/** An OTLP/JSON export of spans, one resource each. */
export function spansExport(spans: readonly TestSpan[]): OtlpExport {
  const resourceSpans = spans.map((each) => {
    const start = each.start ?? 1_763_688_797_000_000_000n;
    return {
      resource: {
        attributes: pairs({
          'service.name': each.service ?? 'shop',
          'service.instance.id': 'one',
          ...(each.system ? { 'service.namespace': each.system } : {}),
        }),
      },
      scopeSpans: [
        {
          spans: [
            {
              traceId: each.trace,
              spanId: each.span,
              ...(each.parent ? { parentSpanId: each.parent } : {}),
              name: each.name ?? 'work',
              kind: each.kind ?? 1,
              startTimeUnixNano: String(start),
              endTimeUnixNano: String(start + BigInt(Math.round((each.ms ?? 1) * 1e6))),
              attributes: pairs(each.attributes ?? {}),
              status: { code: each.error ? 2 : 0 },
            },
          ],
        },
      ],
    };
  });
  return jsonExport('traces', { resourceSpans });
}
