import assert from 'node:assert/strict';
import test from 'node:test';
import pino from 'pino';
import { evaluateAt, loadSeries } from '#contract/metrics/evaluate.ts';
import { parseExpression } from '#contract/metrics/parse.ts';
import { labelKey, type Series } from '#contract/metrics/series.ts';
import { seriesFromJson, seriesToJson } from '#contract/metrics/travel.ts';
import { newId } from '#kernel/ids.ts';
import { needsDatabase, testDatabase } from '../../../../test/support/database.ts';
import { testDiskStore } from '../../../../test/support/object-store.ts';
import { jsonExport, testTelemetryStore } from '../../../../test/support/telemetry.ts';
import { localReader } from '../query/local-reader.ts';
import { KEPT } from '../schema.ts';
import { runUpkeep } from '../store/upkeep.ts';

const START = Math.floor(Date.now() / 60_000) * 60_000 - 1_800_000;
const ALICE = { kind: 'workspace', workspace_id: newId() } as const;
const alice = { workspace_id: ALICE.workspace_id, operator: false };

const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });
const at = (minute: number) => String(BigInt(START + minute * 60_000) * 1_000_000n);

/** One export a minute of every kind of metric, each with a known course. */
function minute(index: number) {
  const attributes = [text('http.route', '/a'), text('service', 'mine')];
  const time = { startTimeUnixNano: at(0), timeUnixNano: at(index) };
  const metrics = [
    { name: 'room.temperature', unit: 'Cel', gauge: { dataPoints: [{ ...time, attributes, asDouble: 20 + index }] } },
    {
      name: 'shop.orders',
      unit: '{order}',
      // Falls to nothing in minute 6: the program was started again.
      sum: {
        aggregationTemporality: 2,
        isMonotonic: true,
        dataPoints: [{ ...time, asInt: String(index < 6 ? index * 60 : (index - 6) * 60) }],
      },
    },
    {
      name: 'shop.delta',
      sum: { aggregationTemporality: 1, isMonotonic: true, dataPoints: [{ ...time, asInt: '30' }] },
    },
    {
      name: 'shop.stock',
      sum: { aggregationTemporality: 2, isMonotonic: false, dataPoints: [{ ...time, asInt: '7' }] },
    },
    {
      name: 'shop.latency',
      unit: 's',
      histogram: {
        aggregationTemporality: 2,
        dataPoints: [
          {
            ...time,
            attributes,
            count: String(10 * index),
            sum: 3 * index,
            explicitBounds: [0.1, 0.5],
            bucketCounts: [String(8 * index), String(index), String(index)],
            exemplars: [{ timeUnixNano: at(index), asDouble: 0.25, traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8) }],
          },
        ],
      },
    },
    {
      name: 'shop.size',
      unit: 'By',
      exponentialHistogram: {
        aggregationTemporality: 1,
        dataPoints: [
          // Four in (1, 2^(1/16)], of scale 4; six in (4, 4·2^(1/16)]; two zeros; one in [-2^(1/16), -1).
          {
            ...time,
            scale: 4,
            zeroCount: '2',
            positive: { offset: 0, bucketCounts: ['4', ...Array(31).fill('0'), '6'] },
            negative: { offset: 0, bucketCounts: ['1'] },
            count: '13',
            sum: 30,
          },
        ],
      },
    },
    {
      name: 'shop.summary',
      summary: {
        dataPoints: [{ ...time, count: String(index), sum: index, quantileValues: [{ quantile: 0.5, value: 4 }] }],
      },
    },
    ...(index === 9
      ? [{ name: 'room.gone', gauge: { dataPoints: [{ ...time, flags: 1 }] } }]
      : [{ name: 'room.gone', gauge: { dataPoints: [{ ...time, asDouble: 1 }] } }]),
  ];
  const resource = {
    attributes: [text('service.name', 'shop'), text('service.namespace', 'retail'), text('service.instance.id', 'one')],
  };
  return jsonExport('metrics', { resourceMetrics: [{ resource, scopeMetrics: [{ metrics }] }] });
}

test('metrics of every kind, as Prometheus would have them', { skip: needsDatabase }, async (t) => {
  const { db } = await testDatabase();
  const objects = await testDiskStore(db);
  const store = await testTelemetryStore(db, objects);
  const reader = localReader(store);
  for (let index = 0; index < 10; index += 1) {
    await store.accept(minute(index), ALICE);
    if (index === 4 || index === 7) await store.flush();
  }
  // A retry after a lost answer.
  await store.accept(minute(8), ALICE);

  const ask = async (query: string, minutes = 9, visible = alice) => {
    const expression = parseExpression(query);
    const moment = START + minutes * 60_000;
    const select = async (requests: Parameters<typeof reader.series>[1]) => {
      const answers = await reader.series(visible, requests);
      const travelled: Series[][] = JSON.parse(JSON.stringify(answers.map((each) => each.map(seriesToJson)))).map(
        (each: Parameters<typeof seriesFromJson>[0][]) => each.map(seriesFromJson),
      );
      return travelled;
    };
    const loaded = await loadSeries(expression, { from: moment, to: moment, lookback: 300_000 }, select);
    return evaluateAt(expression, moment, loaded);
  };
  const value = async (query: string, minutes?: number) => {
    const found = await ask(query, minutes);
    assert.equal(found.length, 1, `${query}: ${found.map(({ labels }) => labelKey(labels)).join(' ')}`);
    return Number(found[0]?.value.toFixed(9));
  };

  const everyKind = async () => {
    const [temperature] = await ask('room_temperature_celsius');
    assert.deepEqual(temperature, {
      labels: {
        __name__: 'room_temperature_celsius',
        http_route: '/a',
        exported_service: 'mine',
        system: 'retail',
        service: 'shop',
        instance: 'one',
      },
      value: 29,
    });
    assert.equal(await value('room.temperature{http_route=~"/.*"}', 3), 23, 'the plain name is understood');
    assert.deepEqual(await ask('room_temperature_celsius{http_route!="/a"}'), []);
    assert.equal(await value('shop_orders_total'), 180);
    assert.equal(await value('increase(shop_orders_total[5m])', 5), 300);
    assert.equal(await value('rate(shop_orders_total[5m])'), 0.8, 'five minutes of 60 a minute, one of them the reset');
    assert.equal(await value('increase(shop_delta_total[5m])'), 150);
    assert.equal(await value('shop_stock'), 7);
    assert.equal(await value('shop_latency_seconds_count'), 90);
    assert.equal(await value('shop_latency_seconds_bucket{le="0.5"}'), 81);
    assert.equal(await value('histogram_quantile(0.85, sum by (le) (rate(shop_latency_seconds_bucket[5m])))'), 0.3);
    assert.equal(await value('increase(shop_size_bytes_bucket{le="0"}[5m])'), 15, 'zeros and what is below');
    assert.equal(await value('increase(shop_size_bytes_bucket{le="+Inf"}[5m])'), 65);
    const [quantile = 0] = (await ask('histogram_quantile(0.9, rate(shop_size_bytes_bucket[5m]))')).map(
      (each) => each.value,
    );
    assert.ok(quantile > 4 && quantile <= 4 * 2 ** 0.25, `${quantile}`);
    assert.equal(await value('shop_summary{quantile="0.5"}'), 4);
    assert.equal(await value('shop_summary_count'), 9);
    assert.equal(await value('room_gone', 8), 1);
    assert.deepEqual(await ask('room_gone', 9), [], 'no recorded value: it ended');
    assert.deepEqual(await ask('shop_stock', 9, { workspace_id: newId(), operator: true }), []);
  };

  await t.test('half buffered, half in segments', everyKind);
  await t.test('all in segments', async () => {
    await store.flush();
    await everyKind();
  });
  await t.test('compacted', async () => {
    const keepMs = Object.fromEntries(KEPT.map((kept) => [kept, 1e9])) as Record<(typeof KEPT)[number], number>;
    const clock = { now: () => new Date(Date.now() + 7_200_000), monotonic: () => 0 };
    const { instance } = store.buffer;
    const log = pino({ level: 'silent' });
    const { directory } = store;
    const report = await runUpkeep({
      db,
      objects,
      instance,
      directory,
      clock,
      log,
      keepMs,
      maxBytes: 1e9,
      graceMs: 1e6,
    });
    assert.ok((report?.compacted ?? 0) >= 12);
    await everyKind();
  });

  await t.test('the list names them, and exemplars lead to their trace', async () => {
    const listed = await reader.metrics(alice, {});
    assert.deepEqual(
      listed.map(({ name }) => name),
      [
        'room_gone',
        'room_temperature_celsius',
        'shop_delta_total',
        'shop_latency_seconds_bucket',
        'shop_orders_total',
        'shop_size_bytes_bucket',
        'shop_stock',
        'shop_summary',
      ],
    );
    const request = {
      matchers: [{ label: '__name__', op: '=', value: 'shop_latency_seconds_bucket' }],
      from: START,
      to: Date.now(),
    } as const;
    const exemplars = await reader.exemplars(alice, request);
    assert.equal(exemplars[0]?.trace_id, 'ab'.repeat(16));
    assert.equal(exemplars[0]?.value, 0.25);
  });

  await t.test('many are asked together, each with its own time', async () => {
    const end = START + 9 * 60_000;
    const named = (value: string, from: number) =>
      ({ matchers: [{ label: '__name__', op: '=', value }], from, to: end }) as const;
    const requests = [
      named('shop_stock', end - 120_000),
      named('room_temperature_celsius', START - 86_400_000),
      named('shop_stock', START - 3_000_000),
      named('nobody', START),
    ];
    const answers = await reader.series(alice, requests);
    assert.deepEqual(
      answers.map((found) => found.map(({ times }) => times.length)),
      [[3], [10], [10], []],
    );
    const alone = await Promise.all(requests.map(async (each) => (await reader.series(alice, [each]))[0]));
    assert.deepEqual(answers, alone);
    assert.deepEqual(await reader.series(alice, []), []);
  });

  await t.test('everything, for what Caudal watches by itself, says whose it is', async () => {
    const request = {
      matchers: [{ label: '__name__', op: '=', value: 'shop_stock' }],
      from: START,
      to: Date.now(),
    } as const;
    const [[series] = []] = await reader.series({ workspace_id: newId(), operator: false, everything: true }, [
      request,
    ]);
    assert.equal(series?.labels['caudal_workspace'], ALICE.workspace_id);
  });
});
