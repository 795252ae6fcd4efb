import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { after } from 'node:test';
import type { LogLine } from '#contract/telemetry.ts';
import { createClient } from './client.ts';
import type { Context } from './command.ts';
import { showStoredLogs } from './log-store.ts';

const line = (second: number, body: string): LogLine => ({
  time: `2026-01-01T00:00:0${second}Z`,
  severity: 'warn',
  service: 'till',
  instance: 'till-1',
  body,
  event_name: null,
  trace_id: null,
  span_id: null,
  attributes: {},
});

test('the last lines, then those that come; where the stream breaks it goes on without a gap or a repeat', async () => {
  const asked: URL[] = [];
  const enough = new AbortController();
  // A gateway that restarts: each of its streams ends after a line or two.
  const streams = [[line(3, 'third')], [line(3, 'third'), line(4, 'fourth')], [line(4, 'fourth'), line(5, 'fifth')]];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://localhost');
    asked.push(url);
    if (url.pathname === '/telemetry/logs') {
      response.setHeader('content-type', 'application/json');
      return response.end(JSON.stringify({ items: [line(2, 'second'), line(1, 'first')], next_cursor: null }));
    }
    response.setHeader('content-type', 'text/event-stream');
    const lines = streams.shift() ?? [];
    return response.end(lines.map((each) => `event: log\ndata: ${JSON.stringify(each)}\n\n`).join(''));
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const said: string[] = [];
  const context = {
    args: ['worker'],
    flag: (name: string) => name === 'json' || name === 'follow',
    text: (name: string) => ({ level: 'warn', query: 'card' })[name],
    terminal: {
      line: (text: string) => {
        said.push(JSON.parse(text).body);
        if (said.at(-1) === 'fifth') enough.abort();
      },
    },
    signal: enough.signal,
  } as unknown as Context;
  await showStoredLogs(context, createClient(url, 'token', new AbortController().signal), 2);
  assert.deepEqual(said, ['first', 'second', 'third', 'fourth', 'fifth']);
  const [page, ...tails] = asked;
  assert.equal(page?.search, '?service=caudal-worker&query=card&severity=warn%2Cerror%2Cfatal&limit=2');
  assert.deepEqual(
    tails.map(({ searchParams }) => searchParams.get('from')),
    [2, 3, 4].map((second) => `2026-01-01T00:00:0${second}Z`),
  );
});
