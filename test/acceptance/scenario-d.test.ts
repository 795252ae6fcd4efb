import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startCaudal, until } from './caudal.ts';
import { createClient, problemCode, tokenWith } from './client.ts';

const caudal = await startCaudal();
const owner = createClient(caudal.url, caudal.admin.token);

const SEATS = ['A', 'B', 'C', 'D'];
const passengers = Array.from({ length: 20 }, (_, row) => ({
  passenger_id: row + 1,
  flight_id: 100 + (row % 3),
  name: row === 0 ? 'Juan Perez' : `Passenger ${row + 1}`,
  seat_number: `${1 + Math.floor(row / 4)}${SEATS[row % 4]}`,
}));
const csv = ['passenger_id,flight_id,name,seat_number', ...passengers.map((row) => Object.values(row).join(','))].join(
  '\n',
);
const byColumn = Object.fromEntries(
  Object.keys(passengers[0] ?? {}).map((name) => [
    name,
    Object.fromEntries(passengers.map((row, index) => [String(index), row[name as keyof typeof row]])),
  ]),
);

describe('D: a lake with SQL behind an HTTP API', () => {
  test('twenty passengers, column by column, to a third party that can read nothing else', async () => {
    assert.equal((await owner.load('passengers.csv', csv, { dataset: 'passengers' })).state, 'loaded');
    const definition = {
      query: 'SELECT passenger_id, flight_id, name, seat_number FROM passengers ORDER BY passenger_id',
      orient: 'columns',
    };
    const made = await owner.call('PUT', '/endpoints/passengers', { body: definition });
    assert.equal(made.status, 201, made.text);
    const again = await owner.call('PUT', '/endpoints/passengers', { body: definition });
    assert.deepEqual([again.status, again.body.version], [200, 1], 'the same is no new version');

    const third = createClient(caudal.url, await tokenWith(owner, ['endpoints:read:passengers']));
    const read = await third.call('GET', '/endpoints/passengers');
    assert.equal(read.status, 200, read.text);
    assert.deepEqual(read.body, byColumn);
    assert.equal(read.headers.get('x-cache'), 'MISS');
    const second = await third.call('GET', '/endpoints/passengers');
    assert.equal(second.headers.get('x-cache'), 'HIT');
    const kept = await third.call('GET', '/endpoints/passengers', {
      headers: { 'if-none-match': second.headers.get('etag') ?? '' },
    });
    assert.equal(kept.status, 304);
    assert.match(
      (await third.call('GET', '/endpoints/passengers.csv')).text,
      /^passenger_id,flight_id,name,seat_number\r\n1,100,Juan Perez,1A\r\n/,
    );

    for (const path of [
      '/datasets/passengers/rows',
      '/datasets/passengers',
      '/datasets/passengers/report.xlsx',
      '/datasets/passengers/chart.json?x=name',
      '/files',
      '/tasks',
      '/endpoints/other',
    ]) {
      assert.equal((await third.call('GET', path)).status, 403, path);
    }
    assert.equal((await third.call('POST', '/sql', { body: { query: 'SELECT * FROM passengers' } })).status, 403);
    assert.equal((await third.call('PUT', '/endpoints/passengers', { body: definition })).status, 403);
    const list = await third.get('/endpoints');
    assert.deepEqual(
      list.items.map((each: { name: string; query?: string }) => [each.name, each.query]),
      [['passengers', undefined]],
    );
    assert.equal((await owner.call('GET', '/endpoints/passengers', { token: null })).status, 401, 'it is not public');
  });

  test('parameters are typed; what is wrong is named', async () => {
    const definition = {
      query: "SELECT name FROM passengers WHERE flight_id = $flight AND seat_number LIKE $row || '%' ORDER BY name",
      parameters: [
        { name: 'flight', type: 'integer', required: true, enum: [100, 101, 102] },
        { name: 'row', type: 'text', default: '1' },
      ],
    };
    assert.equal((await owner.call('PUT', '/endpoints/by_flight', { body: definition })).status, 201);
    const found = await owner.get('/endpoints/by_flight?flight=100');
    assert.deepEqual(found.rows, [{ name: 'Juan Perez' }, { name: 'Passenger 4' }]);
    const wrong: [string, string, string][] = [
      ['', 'flight', 'required'],
      ['?flight=x', 'flight', 'invalid'],
      ['?flight=7', 'flight', 'invalid'],
      ['?flight=100&colour=red', 'colour', 'unknown'],
    ];
    for (const [query, field, code] of wrong) {
      const answer = await owner.call('GET', `/endpoints/by_flight${query}`);
      assert.deepEqual(
        [answer.status, answer.body.errors[0].field, answer.body.errors[0].code],
        [422, field, code],
        query,
      );
    }
    const injected = await owner.get(`/endpoints/by_flight?flight=100&row=${encodeURIComponent("1' OR 1=1 --")}`);
    assert.deepEqual(injected.rows, []);
    const document = await owner.get('/endpoints/by_flight/openapi.json');
    const [flight] = document.paths['/endpoints/by_flight'].get.parameters;
    assert.deepEqual([document.openapi, flight.name, flight.required], ['3.1.0', 'flight', true]);
    for (const query of [
      'SELEC 1',
      'SELECT * FROM nothing',
      "SELECT * FROM read_csv('/etc/passwd')",
      'SELECT $missing',
    ]) {
      const refused = await owner.call('PUT', '/endpoints/bad', { body: { query } });
      assert.equal(refused.status, 422, query);
      problemCode(refused);
    }
  });

  test('public: anybody, within limits; versions; a query that no longer works', async () => {
    const open = { query: 'SELECT count(*) AS n FROM passengers', public: true, limits: { per_second: 1 } };
    assert.equal((await owner.call('PUT', '/endpoints/size', { body: open })).status, 201);
    const answers = await until('more than one within a second', async () => {
      const eight = await Promise.all(
        Array.from({ length: 8 }, () => owner.call('GET', '/endpoints/size', { token: null })),
      );
      const statuses = new Set(eight.map(({ status }) => status));
      return statuses.has(200) && statuses.has(429) ? eight : undefined;
    });
    const good = answers.find(({ status }) => status === 200);
    assert.deepEqual([good?.body.rows, good?.headers.get('access-control-allow-origin')], [[{ n: 20 }], '*']);
    await owner.call('PUT', '/endpoints/size', { body: { query: 'SELECT 2 AS n' } });
    const versions = await owner.get('/endpoints/size/versions');
    assert.deepEqual(
      versions.items.map(({ version }: { version: number }) => version),
      [2, 1],
    );
    // The earlier version keeps its limit, which the eight above have used up.
    const earlier = await until('the next second', async () => {
      const answer = await owner.call('GET', '/endpoints/size?v=1');
      return answer.status === 429 ? undefined : answer;
    });
    assert.deepEqual(earlier.body.rows, [{ n: 20 }]);
    assert.equal((await owner.call('GET', '/endpoints/size', { token: null })).status, 401, 'no longer public');
    await owner.call('DELETE', '/datasets/passengers');
    const broken = await owner.call('GET', '/endpoints/by_flight?flight=100');
    assert.deepEqual([broken.status, problemCode(broken)], [409, 'endpoint_broken']);
    assert.equal((await owner.call('DELETE', '/endpoints/by_flight')).status, 204);
    assert.equal((await owner.call('GET', '/endpoints/by_flight?flight=100')).status, 404);
  });
});
