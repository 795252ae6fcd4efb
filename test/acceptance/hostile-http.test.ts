import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { after, describe, test } from 'node:test';
import { isErrorCode } from '#kernel/errors.ts';
import { startCaudal } from './caudal.ts';
import { createClient, problemCode } from './client.ts';
import { numbersCsv } from './numbers.ts';
import { callsOf, type OpenApi } from './openapi-document.ts';
import { type RawAnswer, rawHttp } from './raw-http.ts';

const caudal = await startCaudal({ CAUDAL_RATE_LIMIT_ANONYMOUS: '1000/s' });
const client = createClient(caudal.url, caudal.admin.token);
const control = await client.load('control.csv', numbersCsv(100), { dataset: 'control' });
const api = await caudal.pid('api');
const HOST = new URL(caudal.url).host;
const BEARER = `Authorization: Bearer ${caudal.admin.token}`;

const request = (line: string, headers: string[] = [], body = '') =>
  [`${line} HTTP/1.1`, `Host: ${HOST}`, ...headers, '', body].join('\r\n');
const post = (path: string, body: string, ...headers: string[]) =>
  request(
    `POST ${path}`,
    ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`, BEARER, ...headers],
    body,
  );

async function unharmed(): Promise<void> {
  assert.equal(await caudal.pid('api'), api, caudal.output());
  assert.equal((await client.call('GET', '/datasets/control/rows?limit=1')).status, 200);
}

/** A problem document with a known code, or a plain answer. */
function honest(answer: RawAnswer | undefined, statuses: number[]): void {
  assert.ok(answer, 'there was an answer');
  assert.ok(statuses.includes(answer.status), `${answer.status} ${answer.body}`);
  // Node itself refuses a request without Host, with an empty body.
  if (answer.status < 400 || (answer.status === 400 && /transfer-encoding: chunked/i.test(answer.head))) return;
  assert.match(answer.head, /content-type: application\/problem\+json/i);
  const problem = JSON.parse(answer.body);
  assert.equal(problem.status, answer.status);
  assert.ok(isErrorCode(problem.code), problem.code);
  assert.doesNotMatch(answer.body, /\n\s+at |node_modules/);
}

interface Raw {
  what: string;
  bytes: string | Buffer;
  statuses: number[];
  end?: boolean;
}

const RAW: Raw[] = [
  {
    what: 'a request line of noise',
    bytes: Buffer.from('\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n', 'latin1'),
    statuses: [400],
  },
  { what: 'HTTP/0.9', bytes: 'GET /livez\r\n\r\n', statuses: [200, 400] },
  { what: 'a method nobody knows', bytes: request('BREW /livez'), statuses: [400, 404, 405] },
  { what: 'TRACE', bytes: request('TRACE /livez'), statuses: [400, 404, 405] },
  { what: 'no Host', bytes: 'GET /livez HTTP/1.1\r\n\r\n', statuses: [200, 400] },
  { what: 'headers of 100 KB', bytes: request('GET /livez', [`X-Large: ${'x'.repeat(100_000)}`]), statuses: [431] },
  {
    what: 'ten thousand headers',
    bytes: request(
      'GET /livez',
      Array.from({ length: 10_000 }, (_, at) => `X-${at}: 1`),
    ),
    statuses: [431],
  },
  { what: 'a URL of 100 KB', bytes: request(`GET /datasets/${'x'.repeat(100_000)}`), statuses: [404, 414, 431] },
  { what: 'a header without a colon', bytes: request('GET /livez', ['no colon here']), statuses: [400] },
  { what: 'a line break in a header', bytes: request('GET /livez', ['X-A: 1\rX-B: 2']), statuses: [400] },
  {
    what: 'two lengths',
    bytes: request('POST /sql', ['Content-Length: 5', 'Content-Length: 6', BEARER], '12345'),
    statuses: [400],
  },
  {
    what: 'a length and chunks',
    bytes: request('POST /sql', ['Content-Length: 4', 'Transfer-Encoding: chunked', BEARER], '0\r\n\r\n'),
    statuses: [400],
  },
  {
    what: 'chunks that are none',
    bytes: request('POST /sql', ['Transfer-Encoding: chunked', 'Content-Type: application/json', BEARER], 'zz\r\n\r\n'),
    statuses: [400],
  },
  { what: 'a negative length', bytes: request('POST /sql', ['Content-Length: -5', BEARER]), statuses: [400] },
  {
    what: 'a length beyond the limit',
    bytes: request('POST /sql', ['Content-Type: application/json', 'Content-Length: 99999999999', BEARER], '{'),
    statuses: [413],
  },
  {
    what: 'a body that is longer than it said',
    bytes: `${post('/sql', '{"query":"SELECT 1 AS a"}')}and more\r\n\r\n`,
    statuses: [200, 400],
  },
  {
    what: 'bad UTF-8 in a body',
    bytes: Buffer.concat([
      Buffer.from(post('/sql', '{"query":"SELECT 1"}').slice(0, -20)),
      Buffer.from('{"query":"\xff\xfe\xfd 23456789"}'.slice(0, 20), 'latin1'),
    ]),
    statuses: [400],
  },
  { what: 'bad UTF-8 in a path', bytes: request('GET /datasets/%ff%fe', [BEARER]), statuses: [400, 404] },
  { what: 'half an escape in a path', bytes: request('GET /datasets/%f', [BEARER]), statuses: [400, 404] },
  { what: 'NUL in a path', bytes: request('GET /datasets/a%00b', [BEARER]), statuses: [400, 404] },
  {
    what: 'bytes above 127 in a path',
    bytes: Buffer.from(request('GET /datasets/\xe1', [BEARER]), 'latin1'),
    statuses: [400, 404],
  },
  { what: 'a path that climbs', bytes: request('GET /../../../../etc/passwd', [BEARER]), statuses: [404] },
  {
    what: 'a path that climbs in disguise',
    bytes: request('GET /objects/..%2f..%2f..%2fadmin.json', [BEARER]),
    statuses: [403, 404, 422],
  },
  {
    what: 'a path that climbs out of the console',
    bytes: request('GET /assets/../../../package.json'),
    statuses: [404],
  },
  { what: 'a path of backslashes', bytes: request('GET /objects/..\\..\\admin.json'), statuses: [400, 403, 404, 422] },
  {
    what: 'an absolute URL of somebody else',
    bytes: request('GET http://169.254.169.254/latest/meta-data'),
    statuses: [400, 404],
  },
  { what: 'duplicate slashes', bytes: request('GET //datasets///control//rows?limit=1', [BEARER]), statuses: [200] },
  {
    what: 'an upgrade to nowhere',
    bytes: request('GET /livez', ['Connection: Upgrade', 'Upgrade: websocket']),
    statuses: [200, 400, 404],
  },
  {
    what: 'a token of 10 KB',
    bytes: request('GET /datasets', [`Authorization: Bearer ${'x'.repeat(10_000)}`]),
    statuses: [401],
  },
  {
    what: 'a token with odd characters',
    bytes: request('GET /datasets', ['Authorization: Bearer cdl_\x7f\xe9']),
    statuses: [400, 401],
  },
  {
    what: 'a traceparent of noise',
    bytes: request('GET /datasets', [BEARER, 'traceparent: 00-zz-zz-01', 'tracestate: ,,,=']),
    statuses: [200],
  },
];

describe('hostile HTTP', () => {
  assert.equal(control.state, 'loaded');
  for (const { what, bytes, statuses, end } of RAW) {
    test(what, async () => {
      const [answer] = await rawHttp(caudal.url, bytes, end === undefined ? {} : { end });
      honest(answer, statuses);
      await unharmed();
    });
  }

  test('a body that is shorter than it said ends that connection alone', async () => {
    const answers = await rawHttp(
      caudal.url,
      request('POST /sql', ['Content-Type: application/json', 'Content-Length: 100', BEARER], '{"que'),
      {
        end: true,
        ms: 3_000,
      },
    );
    for (const answer of answers) honest(answer, [400, 408]);
    await unharmed();
  });

  test('two hundred bodies that never come keep nobody else waiting', async () => {
    const sockets: Socket[] = [];
    after(() => {
      for (const socket of sockets) socket.destroy();
    });
    for (let at = 0; at < 200; at += 1) {
      const socket = connect(Number(new URL(caudal.url).port), '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write(request('POST /sql', ['Content-Type: application/json', 'Content-Length: 50', BEARER], '{'));
      sockets.push(socket);
    }
    const begun = performance.now();
    for (let at = 0; at < 20; at += 1) await unharmed();
    const each = (performance.now() - begun) / 20;
    assert.ok(each < 10_000, `${each} ms`);
    for (const socket of sockets) socket.destroy();
  });

  test('a hundred requests in one write are answered one by one, in order', async () => {
    const many = Array.from({ length: 100 }, (_, at) => request(`GET /datasets/missing_${at}`, [BEARER])).join('');
    const answers = await rawHttp(caudal.url, many, { answers: 100, ms: 60_000 });
    assert.deepEqual(
      answers.map(({ body }) => /missing_(\d+)/.exec(JSON.parse(body).detail)?.[1]),
      Array.from({ length: 100 }, (_, at) => String(at)),
    );
  });
});

const DEEP = 100_000;
const BODIES: [what: string, path: string, body: string, statuses: number[]][] = [
  ['no JSON', '/sql', 'SELECT 1', [400]],
  ['JSON that ends too early', '/sql', '{"query":', [400]],
  ['an array where an object belongs', '/sql', '[]', [422]],
  ['null', '/sql', 'null', [422]],
  [
    'arrays nested 10⁵ deep',
    '/sql',
    `{"query":"SELECT 1","params":${'['.repeat(DEEP)}${']'.repeat(DEEP)}}`,
    [400, 422],
  ],
  [
    'objects nested 10⁵ deep',
    '/datasets',
    `{"name":"x","columns":${'{"a":'.repeat(DEEP)}1${'}'.repeat(DEEP)}}`,
    [400, 422],
  ],
  ['__proto__', '/datasets', '{"name":"proto","__proto__":{"admin":true}}', [400, 422]],
  ['constructor.prototype', '/datasets', '{"name":"proto","constructor":{"prototype":{"admin":true}}}', [400, 422]],
  ['a body of 2 MB', '/sql', `{"query":"${'x'.repeat(2_000_000)}"}`, [413]],
  ['numbers beyond all bounds', '/uploads', '{"filename":"a","size":1e400}', [400, 413, 422]],
  ['a size that no double holds', '/uploads', '{"filename":"a","size":9007199254740993}', [413, 422]],
  ['a negative size', '/uploads', '{"filename":"a","size":-1}', [422]],
  ['texts with NUL', '/datasets', '{"name":"a\\u0000b"}', [422]],
  ['texts with NUL where anything goes', '/datasets', '{"name":"nul","description":"a\\u0000b"}', [201, 400, 422]],
  ['half a surrogate', '/uploads', '{"filename":"\\ud83d.csv","size":3}', [201, 422]],
  ['an unknown member', '/datasets', '{"name":"x","colums":[]}', [422]],
  [
    'a regular expression that never ends',
    '/sql',
    '{"query":"SELECT regexp_matches(repeat(\'a\', 5000), \'(a+)+$b\')"}',
    [200, 408, 422],
  ],
  ['parameters that are no scalars', '/sql', '{"query":"SELECT $1","params":[{"a":1}]}', [422]],
];

describe('hostile bodies', () => {
  for (const [what, path, body, statuses] of BODIES) {
    test(what, async () => {
      const answer = await client.call('POST', path, { body, headers: { 'content-type': 'application/json' } });
      assert.ok(statuses.includes(answer.status), `${answer.status} ${answer.text.slice(0, 500)}`);
      if (answer.status >= 400) assert.ok(isErrorCode(problemCode(answer)));
      await unharmed();
    });
  }

  for (const type of [
    'text/html',
    'application/xml',
    'multipart/form-data',
    'application/json; charset=utf-16',
    'nonsense',
    ';;;',
  ]) {
    test(`content type ${type}`, async () => {
      const answer = await client.call('POST', '/sql', {
        body: '{"query":"SELECT 1"}',
        headers: { 'content-type': type },
      });
      assert.ok([400, 415].includes(answer.status) || (type.includes('json') && answer.status === 200), answer.text);
    });
  }

  test('an empty body with a JSON content type is no body', async () => {
    const begun = await client.call('POST', '/uploads', { body: { filename: 'gone.csv', size: 5 } });
    const gone = await client.call('DELETE', `/uploads/${begun.body.upload_id}`, {
      headers: { 'content-type': 'application/json' },
    });
    assert.equal(gone.status, 204, gone.text);
    const task = await client.call('DELETE', '/tasks//nonsense', { headers: { 'content-type': 'application/json' } });
    assert.equal(task.status, 404, task.text);
  });
});

describe('malformed ids are not there', async () => {
  const document: OpenApi = await client.get('/openapi.json');
  const withId = callsOf(document).filter(
    ({ path, method }) => path.includes('{') && ['GET', 'DELETE'].includes(method),
  );
  const IDS = [
    'nonsense',
    '0',
    '-1',
    '../x',
    'NULL',
    "' OR 1=1 --",
    '%00',
    '01a1fc23-80e9-7ad6-b778-77962c16ffe',
    'ü',
    '{}',
  ];
  for (const { method, path } of withId) {
    test(`${method} ${path}`, async () => {
      for (const id of IDS) {
        const filled = path.replace(/\{[^}]+\}/g, id === '%00' ? id : encodeURIComponent(id));
        const answer = await client.call(method, filled);
        const expected =
          path.startsWith('/objects/') || path.startsWith('/auth/link/') ? [303, 400, 403, 404, 410, 422] : [404];
        if (id === '%00') expected.push(400);
        assert.ok(expected.includes(answer.status), `${id}: ${answer.status} ${answer.text}`);
      }
    });
  }

  test('no harm was done', unharmed);
});

describe('signed URLs', () => {
  test('are good for what they were signed for and nothing else', async () => {
    const [one, two] = await Promise.all(
      ['one.csv', 'two.csv'].map((filename) => client.call('POST', '/uploads', { body: { filename, size: 5 } })),
    );
    const url = new URL(one?.body.urls[0].url, caudal.url);
    const changed = (change: (copy: URL) => void) => {
      const copy = new URL(url);
      change(copy);
      return copy;
    };
    const put = async (to: URL, body = 'a\n1\n2') => (await fetch(to, { method: 'PUT', body })).status;
    assert.equal(
      await put(
        changed((copy) => copy.searchParams.set('length', '6')),
        'a\n1\n23',
      ),
      403,
    );
    assert.equal(await put(changed((copy) => copy.searchParams.set('offset', '1'))), 403);
    assert.equal(await put(changed((copy) => copy.searchParams.set('expires', '9999999999'))), 403);
    assert.equal(await put(changed((copy) => copy.searchParams.delete('signature'))), 422);
    assert.equal(await put(changed((copy) => (copy.pathname = copy.pathname.replace(/1$/, '2')))), 403);
    const other = new URL(two?.body.urls[0].url, caudal.url).pathname;
    assert.equal(await put(changed((copy) => (copy.pathname = other))), 403);
    assert.equal(await put(url, 'too long a body'), 400);
    assert.ok([403, 404, 422].includes((await fetch(url)).status), 'a URL for PUT is no URL for GET');
    assert.equal(await put(url), 200);
    assert.equal((await client.call('GET', `/files/${control.id}/content`)).status, 302);
    await unharmed();
  });
});
