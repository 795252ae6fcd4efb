import assert from 'node:assert/strict';
import test from 'node:test';
import { newId } from '#kernel/ids.ts';
import { needsDatabase, testDatabase } from '../../../../test/support/database.ts';
import { testDiskStore } from '../../../../test/support/object-store.ts';
import { jsonExport, testTelemetryStore } from '../../../../test/support/telemetry.ts';
import { localReader } from './local-reader.ts';

const SYSTEMS = 50;
const SERVICES = ['front', 'orders', 'stock'];
const REQUESTS = 30;
const MINUTE = 60_000;
const ALICE = { kind: 'workspace', workspace_id: newId() } as const;
const visible = { workspace_id: ALICE.workspace_id, operator: false };

/** In each system a request goes through three services; number 7 fails, number 9 is slow. */
function exportOf(system: number, now: number) {
  const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });
  const name = `system-${String(system).padStart(2, '0')}`;
  const ms = system === 9 ? 800 : 20;
  return jsonExport('traces', {
    resourceSpans: SERVICES.map((service, depth) => ({
      resource: {
        attributes: [text('service.namespace', name), text('service.name', service), text('service.instance.id', 'a')],
      },
      scopeSpans: [
        {
          spans: Array.from({ length: REQUESTS }, (_, index) => {
            const start = BigInt(now - MINUTE * 2 + index * 1000) * 1_000_000n;
            return {
              traceId: `${String(system).padStart(2, '0')}${String(index).padStart(2, '0')}${'f'.repeat(28)}`,
              spanId: `${'a'.repeat(15)}${depth}`,
              ...(depth > 0 ? { parentSpanId: `${'a'.repeat(15)}${depth - 1}` } : {}),
              name: `GET /${service}`,
              kind: 2,
              startTimeUnixNano: String(start),
              endTimeUnixNano: String(start + BigInt(ms) * 1_000_000n),
              status: { code: system === 7 && index % 3 === 0 ? 2 : 0 },
            };
          }),
        },
      ],
    })),
  });
}

test('a fleet of 50 systems and its map', { skip: needsDatabase }, async (t) => {
  const { db } = await testDatabase();
  const sent = Date.now();
  const clock = { now: () => new Date(sent), monotonic: () => performance.now() };
  const store = await testTelemetryStore(db, await testDiskStore(db), { clock });
  const reader = localReader(store);
  for (let system = 0; system < SYSTEMS; system += 1) {
    await store.accept(exportOf(system, sent), ALICE);
    if (system === 25) await store.flush();
  }
  const range = (to: number) => ({ from_ns: BigInt(to - 60 * MINUTE) * 1_000_000n, to_ns: BigInt(to) * 1_000_000n });

  await t.test('worst first, with reasons', async () => {
    const { items, counts, fleet } = await reader.fleet(visible, range(sent + MINUTE));
    assert.deepEqual(counts, { silent: 0, off_slo: 2, healthy: SYSTEMS - 2 });
    assert.deepEqual(
      items.slice(0, 2).map(({ system, reasons }) => [system, reasons[0]]),
      [
        ['system-07', '33 % failed'],
        ['system-09', '100 % took more than 100 ms'],
      ],
    );
    assert.equal(fleet.systems, SYSTEMS);
    assert.equal(fleet.requests, SYSTEMS * SERVICES.length * REQUESTS);
    assert.ok((fleet.p50_ms ?? 0) > 18 && (fleet.p50_ms ?? 0) < 22 && (fleet.p99_ms ?? 0) > 700);
    assert.deepEqual([items[0]?.services, items[0]?.instances], [3, 1]);
    assert.equal(items[0]?.trend.requests, null, 'nothing before');
  });

  await t.test('who says nothing is silent; a window later there is a trend', async () => {
    const { counts } = await reader.fleet(visible, range(sent + 30 * MINUTE));
    assert.deepEqual(counts, { silent: SYSTEMS, off_slo: 0, healthy: 0 });
    const later = await reader.fleet(visible, range(sent + 61 * MINUTE));
    assert.equal(later.items[0]?.trend.requests, -1);
    assert.equal((await reader.fleet({ workspace_id: newId(), operator: true }, range(sent))).items.length, 0);
  });

  await t.test('the map has every service and every call', async () => {
    const { items, edges } = await reader.services(visible, { range: range(sent + MINUTE) });
    assert.equal(items.length, SYSTEMS * SERVICES.length);
    assert.equal(edges.length, SYSTEMS * (SERVICES.length - 1));
    assert.ok(edges.every(({ calls, from_system, to_system }) => calls === REQUESTS && from_system === to_system));
    const one = await reader.services(visible, { range: range(sent + MINUTE), system: 'system-07' });
    assert.deepEqual(
      one.edges.map(({ from_service, to_service, errors }) => [from_service, to_service, errors]).sort(),
      [
        ['front', 'orders', 10],
        ['orders', 'stock', 10],
      ],
    );
  });
});
