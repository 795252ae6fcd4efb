import assert from 'node:assert/strict';
import test from 'node:test';
import fc from '../../../test/support/laws.ts';
import { joiner } from './entry.ts';
import type { FollowedFile, Line } from './file.ts';
import { FORMATS } from './formats.ts';
import { mask, withoutLiterals } from './mask.ts';

const { nginx, postgresql, text } = FORMATS;
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

test('nginx, combined: names of the semantic conventions, and no value of a query', () => {
  const entry = nginx.parse(
    '203.0.113.9 - ana [04/May/2026:12:00:01 +0200] "GET /objects/a.csv?expires=17&signature=s3cr3t HTTP/1.1" 200 512 "https://x.org/?token=t0k3n" "curl/8.5 \\x22q\\x22"',
  );
  assert.deepEqual(entry, {
    time: Date.parse('2026-05-04T10:00:01Z'),
    severity: 9,
    severityText: 'info',
    body: 'GET /objects/a.csv 200',
    attributes: {
      'client.address': '203.0.113.9',
      'user.name': 'ana',
      'http.request.method': 'GET',
      'url.path': '/objects/a.csv',
      'url.query': 'expires=REDACTED&signature=REDACTED',
      'network.protocol.version': '1.1',
      'http.response.status_code': 200,
      'http.response.body.size': 512,
      'http.request.header.referer': ['https://x.org/?token=REDACTED'],
      'user_agent.original': 'curl/8.5 \\x22q\\x22',
    },
  });
});

test('nginx: what is no request is a line with its status', () => {
  const entry = nginx.parse('::1 - - [04/May/2026:12:00:01 +0000] "\\x16\\x03\\x01" 400 157 "-" "-"');
  assert.equal(entry.attributes['client.address'], '::1');
  assert.equal(entry.attributes['http.response.status_code'], 400);
  assert.equal('http.request.method' in entry.attributes, false);
  assert.equal(nginx.parse('1.2.3.4 - - [04/May/2026:12:00:01 +0000] "GET / HTTP/2.0" 502 0 "-" "-"').severity, 17);
});

test("nginx, JSON: nginx's variables, the trace, further keys as they are, and nobody claims a workspace", () => {
  const line = {
    ...{ msec: 1777888801.25, trace_id: TRACE, traceparent: `00-${TRACE}-${SPAN}-01`, remote_addr: '10.0.0.1' },
    ...{
      request_method: 'PUT',
      request_uri: '/objects/x?signature=abc',
      status: 507,
      'http.server.request.duration': 0.5,
    },
    ...{ http_cookie: 'session=abc', 'caudal.workspace': 'b2b0ee6e-1fbc-4b9b-a9e0-9a9a2a0f5f00', empty: '-' },
  };
  const entry = nginx.parse(JSON.stringify(line));
  assert.equal(entry.time, 1777888801250);
  assert.equal(entry.severity, 17);
  assert.deepEqual([entry.traceId, entry.spanId], [TRACE, SPAN]);
  assert.deepEqual(entry.attributes, {
    'client.address': '10.0.0.1',
    'http.request.method': 'PUT',
    'url.path': '/objects/x',
    'url.query': 'signature=REDACTED',
    'http.response.status_code': 507,
    'http.server.request.duration': 0.5,
    http_cookie: 'REDACTED',
  });
});

test("nginx, JSON: the trace that the answer named wins; of another trace the caller's span is no parent", () => {
  const other = 'a'.repeat(32);
  const trace = (fields: object) => {
    const { traceId, spanId } = nginx.parse(JSON.stringify(fields));
    return [traceId, spanId];
  };
  const traceparent = `00-${TRACE}-${SPAN}-01`;
  assert.deepEqual(trace({ trace_id: other, traceparent }), [other, undefined]);
  assert.deepEqual(trace({ trace_id: '-', traceparent }), [TRACE, SPAN]);
  // Of a request that was repeated at another replica nginx writes both answers.
  assert.deepEqual(trace({ trace_id: `-, ${other}`, traceparent: '' }), [other, undefined]);
  assert.deepEqual(trace({ trace_id: '0'.repeat(32) }), [undefined, undefined]);
});

test('nginx, error log: level, process, and the request without its query', () => {
  const entry = nginx.parse(
    '2026/05/04 12:00:01 [crit] 12#34: *5 connect() failed (111: Connection refused) while connecting to upstream, client: 10.0.0.1, server: , request: "GET /x?token=s3cr3t HTTP/1.1", upstream: "http://127.0.0.1:5051/x?token=s3cr3t"',
  );
  assert.equal(entry.severity, 18);
  assert.equal(entry.time, new Date(2026, 4, 4, 12, 0, 1).getTime());
  assert.deepEqual(entry.attributes, {
    ...{ 'process.pid': 12, 'thread.id': 34, 'client.address': '10.0.0.1', 'http.request.method': 'GET' },
    'url.path': '/x',
  });
  assert.doesNotMatch(entry.body, /s3cr3t/);
  assert.match(entry.body, /connect\(\) failed/);
});

const file = {} as FollowedFile;
const lines = (...all: string[]): Line[] =>
  all.map((each, index) => ({ text: each, cut: false, file, end: index + 1, open: false }));

const MESSAGE = [
  '2026-05-04 10:00:01.250 UTC [77] ERROR:  duplicate key value violates unique constraint "people_pkey"',
  '2026-05-04 10:00:01.250 UTC [77] DETAIL:  Key (email)=(ana@example.org) already exists.',
  "2026-05-04 10:00:01.250 UTC [77] STATEMENT:  /*traceparent='00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'*/ INSERT INTO people",
  "\tVALUES ('ana@example.org', 42, $1)",
];

test('PostgreSQL: a statement over several lines and the detail belong to their message', () => {
  const joined = joiner(postgresql.continues);
  const other = '2026-05-04 10:00:02.000 UTC [78] FATAL:  password authentication failed for user "x"';
  const done = [...joined.add(lines(...MESSAGE, other)), ...joined.flush()];
  assert.deepEqual(
    done.map(({ text: each, last }) => [each, last.end]),
    [
      [MESSAGE.join('\n'), 4],
      [other, 5],
    ],
  );
});

test('PostgreSQL: what another process says ends an entry', () => {
  const joined = joiner(postgresql.continues);
  const detail = '2026-05-04 10:00:01.250 UTC [78] DETAIL:  of somebody else';
  const done = [...joined.add(lines(MESSAGE[0] as string, detail)), ...joined.flush()];
  assert.equal(done.length, 2);
});

test('PostgreSQL: time, severity and trace; values of users are left out', () => {
  const entry = postgresql.parse(MESSAGE.join('\n'));
  assert.equal(entry.time, Date.parse('2026-05-04T10:00:01.250Z'));
  assert.deepEqual([entry.severity, entry.severityText], [17, 'ERROR']);
  assert.deepEqual([entry.traceId, entry.spanId], [TRACE, SPAN]);
  assert.equal(entry.body, 'duplicate key value violates unique constraint "people_pkey"');
  assert.equal(entry.attributes['postgresql.detail'], 'Key (email)=(REDACTED) already exists.');
  assert.match(String(entry.attributes['db.query.text']), /INSERT INTO people\nVALUES \(\?, \?, \$1\)$/);
  const severity = (label: string) => postgresql.parse(`2026-05-04 10:00:01 UTC [1] ${label}:  x`).severity;
  assert.deepEqual(['LOG', 'WARNING', 'FATAL', 'PANIC', 'DEBUG1'].map(severity), [9, 13, 18, 21, 5]);
});

test('PostgreSQL: other prefixes and zones; what has none is a line as it is', () => {
  const debian = postgresql.parse(
    "2026-05-04 12:00:01.250 +02 [1] ana@shop LOG:  duration: 3.1 ms  statement: SELECT 'x'",
  );
  assert.equal(debian.time, Date.parse('2026-05-04T10:00:01.250Z'));
  assert.equal(debian.attributes['user.name'], 'ana');
  assert.equal(debian.attributes['db.namespace'], 'shop');
  assert.equal(debian.body, 'duration: 3.1 ms  statement: SELECT ?');
  const local = postgresql.parse('2026-05-04 12:00:01 CEST [1] LOG:  x');
  assert.equal(local.time, new Date(2026, 4, 4, 12, 0, 1).getTime());
  assert.deepEqual(postgresql.parse('postgres: could not start'), {
    ...{ severity: 0, body: 'postgres: could not start', attributes: {} },
  });
});

test('PostgreSQL: rows, parameters and lines of COPY are not kept', () => {
  const detail = (label: string, said: string) =>
    postgresql.parse(`2026-05-04 10:00:01 UTC [1] ERROR:  x\n2026-05-04 10:00:01 UTC [1] ${label}:  ${said}`)
      .attributes;
  const kept = [
    detail('DETAIL', "parameters: $1 = 's3cr3t', $2 = 's3cr3t'"),
    detail('DETAIL', 'Failing row contains (1, s3cr3t, s3cr3t).'),
    detail('DETAIL', 'Key (a, b)=(1, s3cr3t (x)) already exists.'),
    detail('CONTEXT', 'COPY people, line 3, column age: "s3cr3t"'),
    detail('CONTEXT', 'COPY people, line 3: "a,s3cr3t"'),
    detail('CONTEXT', "unnamed portal with parameters: $1 = 's3cr3t'"),
    detail('STATEMENT', "ALTER ROLE x PASSWORD 's3cr3t'"),
    detail('STATEMENT', 'SELECT $q$s3cr3t$q$'),
    detail('DETAIL', 's3cr3t'.padStart(4000, 'x')),
  ];
  assert.doesNotMatch(JSON.stringify(kept), /s3cr3t/);
});

test("text: a line is a record of the file's own service", () => {
  assert.equal(text.service('/var/log/my-app.log'), 'my-app');
  assert.equal(text.parse('went to /x?key=abc').body, 'went to /x?key=REDACTED');
});

test('masks: credentials in URLs, headers, JSON, SQL, one-time links and tokens of our own', () => {
  const secret = 's3cr3t-s3cr3t';
  for (const line of [
    `postgres://caudal:${secret}@127.0.0.1/db`,
    `Authorization: Bearer ${secret}`,
    `{"password":"${secret}","a":1}`,
    `CREATE ROLE x PASSWORD '${secret}'`,
    `api_key=${secret}`,
    `GET /auth/link/${secret} HTTP/1.1`,
    `token cdl_${secret}`,
    `jwt eyJhbGciOi.${secret}.sig`,
    `x-amz-security-token: ${secret}`,
  ]) {
    assert.ok(!mask(line).includes(secret), mask(line));
  }
  assert.equal(mask('3 of 4 = 75 % (a & b)'), '3 of 4 = 75 % (a & b)');
});

test('statements lose their literals and keep their names', () => {
  assert.equal(
    withoutLiterals("SELECT a1, t.b2 FROM t WHERE c = 'it''s' AND d = 1.5 AND e = $2 AND f = E'\\'x' LIMIT 10"),
    'SELECT a1, t.b2 FROM t WHERE c = ? AND d = ? AND e = $2 AND f = ? LIMIT ?',
  );
});

const word = fc.stringMatching(/^[A-Za-z0-9_-]{1,12}$/);
/** Long and odd enough not to be in a line by chance. */
const secret = fc.stringMatching(/^[A-Za-z0-9._~-]{8,40}$/).map((each) => `qZ7${each}`);

test('law: no value of a query reaches a record, whatever the format of the line', () => {
  const query = fc.array(fc.tuple(word, secret), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(query, word, (pairs, path) => {
      const target = `/${path}?${pairs.map(([name, value]) => `${name}=${value}`).join('&')}`;
      const written = [
        `1.2.3.4 - - [04/May/2026:12:00:01 +0000] "GET ${target} HTTP/1.1" 200 1 "https://a.b${target}" "x"`,
        JSON.stringify({ request_uri: target, http_referer: target, other: target, status: 200 }),
        JSON.stringify({ request: `GET ${target} HTTP/1.1`, uri: `/${path}`, args: target.split('?')[1] }),
        `2026/05/04 12:00:01 [error] 1#1: *5 x, client: 1.2.3.4, request: "GET ${target} HTTP/1.1", referrer: "${target}"`,
      ];
      const records = [...written.map(nginx.parse), text.parse(`saw ${target}`)];
      for (const [, value] of pairs) assert.ok(!JSON.stringify(records).includes(value), JSON.stringify(records));
    }),
  );
});

test('law: no line keeps a parser from an answer', () => {
  const pieces = fc.array(
    fc.constantFrom(
      ...[
        '{',
        '}',
        '"',
        '[',
        ']',
        '2026/05/04 12:00:01 [',
        '2026-05-04 10:00:01 UTC [1] ERROR:  ',
        '] 1#1: ',
        ' - - [99/Xxx/0000:99:99:99 +9999] "',
      ],
      ...['\n', '\t', 'STATEMENT', "'", '$$', '?a=', '&', '__proto__', '"time":1e999', '\u0000', 'ü'],
    ),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(
      fc.oneof(
        pieces.map((all) => all.join('')),
        fc.string(),
      ),
      (line) => {
        for (const { parse } of Object.values(FORMATS)) {
          const { time, severity, body } = parse(line);
          assert.ok(time === undefined || Number.isFinite(time));
          assert.ok(severity >= 0 && severity <= 24);
          assert.equal(typeof body, 'string');
        }
      },
    ),
  );
});
