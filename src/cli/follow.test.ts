import assert from 'node:assert/strict';
import test from 'node:test';
import fc from '../../test/support/laws.ts';
import { type ServerSentEvent, serverSentEvents } from './follow.ts';

async function collect(chunks: Iterable<Buffer>): Promise<ServerSentEvent[]> {
  const events: ServerSentEvent[] = [];
  for await (const event of serverSentEvents(
    (async function* () {
      yield* chunks;
    })(),
  )) {
    events.push(event);
  }
  return events;
}

test('events are the same however the network cuts their bytes', async () => {
  const text =
    ': heartbeat\n\nevent: task\nid: 7\ndata: {"name":"Bogotá 東京"}\n\ndata: a\ndata: b\n\nevent: end\r\ndata: {}\r\n\r\n';
  const expected = [
    { event: 'task', data: '{"name":"Bogotá 東京"}' },
    { event: 'message', data: 'a\nb' },
    { event: 'end', data: '{}' },
  ];
  const bytes = Buffer.from(text);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: bytes.length }), { maxLength: 12 }), async (cuts) => {
      const at = [0, ...cuts.sort((a, b) => a - b), bytes.length];
      const chunks = at.slice(1).map((end, index) => bytes.subarray(at[index], end));
      assert.deepEqual(await collect(chunks), expected);
    }),
    { numRuns: 200 },
  );
});
