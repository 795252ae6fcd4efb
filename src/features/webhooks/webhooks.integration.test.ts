import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { rows, sql } from '#platform/db/db.ts';
import { createPoster } from '#platform/http/post.ts';
import { needsDatabase } from '../../../test/support/database.ts';
import { eventsRoom } from '../../../test/support/events.ts';
import { deliverDue } from './deliver.ts';
import { webhookRoutes } from './deliveries.route.ts';
import { sweepDeliveries } from './deliveries.ts';
import { messagesOf, takeBatches } from './take.ts';

const SECRET = 'a-secret-of-more-than-16';

interface Received {
  headers: Record<string, string>;
  body: string;
}

/** A receiver that answers what it is told to. */
async function receiver() {
  const received: Received[] = [];
  const answers: number[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    received.push({
      headers: request.headers as Record<string, string>,
      body: Buffer.concat(chunks).toString('utf8'),
    });
    response.writeHead(answers.shift() ?? 204).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  after(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, received, answers };
}

test('a batch is cut into messages of a megabyte, a larger event goes alone', () => {
  const line = (size: number) => 'x'.repeat(size);
  const sizes = [600_000, 300_000, 200_000, 2_000_000, 10].map(line);
  assert.deepEqual(
    messagesOf(sizes).map(({ from, events }) => [from, events.length]),
    [
      [0, 2],
      [2, 1],
      [3, 1],
      [4, 1],
    ],
  );
});

describe('webhooks', { skip: needsDatabase }, async () => {
  if (needsDatabase) return;
  const room = await eventsRoom(({ db }) => webhookRoutes({ db }));
  const { db, workspace_id } = room;
  const send = (method: 'GET' | 'POST', url: string, body?: unknown, headers: Record<string, string> = {}) =>
    room.send(method, url, body, headers);
  const post = createPoster({ allowPrivate: ['127.0.0.0/8'] });

  async function subscribe(topic: string, url: string): Promise<string> {
    const made = await send('POST', `/topics/${topic}/subscriptions`, { webhook: { url, secret: SECRET } });
    assert.equal(made.status, 201, JSON.stringify(made.body));
    assert.equal(JSON.stringify(made.body).includes(SECRET), false);
    return made.body.id;
  }
  const publish = (topic: string, events: unknown) => send('POST', `/topics/${topic}/events`, events);
  const log = async (topic: string, id: string, path = 'deliveries') =>
    (await send('GET', `/topics/${topic}/subscriptions/${id}/${path}`)).body.items;
  const makeDue = () => sql`UPDATE webhook_deliveries SET next_at = now() WHERE state = 'waiting'`.execute(db);

  test('events arrive signed, once, as they were sent; the log says so', async () => {
    const { url, received } = await receiver();
    const id = await subscribe('signed', url);
    await send('POST', '/topics/signed/events', '[{"n":12345678901234567890},{"n":2}]', {
      'content-type': 'application/json',
    });
    assert.equal(await takeBatches(db, id), 1);
    assert.equal(await takeBatches(db, id), 0);
    assert.equal(await deliverDue({ db, post }, id), 1);
    assert.equal(await deliverDue({ db, post }, id), 0);
    const [{ headers, body } = { headers: {}, body: '' }] = received;
    const verified = new Webhook(SECRET, { format: 'raw' }).verify(body, headers) as Record<string, unknown>;
    assert.equal(verified['type'], 'signed');
    assert.match(body, /"first_offset":1,"events":\[\{"n":12345678901234567890\},\{"n":2\}\]/);
    const [delivery] = await log('signed', id);
    assert.deepEqual(
      [delivery.id, delivery.state, delivery.attempts, delivery.status, delivery.last_offset],
      [headers['webhook-id'], 'delivered', 1, 204, 2],
    );
    const topic = await send('GET', '/topics/signed');
    assert.equal(topic.body.backlog, 0);
  });

  test('a failure is tried again under the same id; after a day it is a dead letter, which can be sent again', async () => {
    const { url, received, answers } = await receiver();
    const id = await subscribe('failing', url);
    await publish('failing', { a: 1 });
    await takeBatches(db, id);
    answers.push(500, 302);
    await deliverDue({ db, post }, id);
    assert.equal(await deliverDue({ db, post }, id), 0, 'not before its time');
    await makeDue();
    await deliverDue({ db, post }, id);
    const [waiting] = await log('failing', id);
    assert.deepEqual([waiting.state, waiting.attempts, waiting.status], ['waiting', 2, 302]);
    assert.ok(Date.parse(waiting.next_at) > Date.parse(waiting.created_at));

    await sql`UPDATE webhook_deliveries SET since = now() - interval '24 hours' WHERE id = ${waiting.id}`.execute(db);
    await makeDue();
    answers.push(503);
    await deliverDue({ db, post }, id);
    const [dead] = await log('failing', id, 'dead-letters');
    assert.deepEqual([dead.id, dead.state, dead.error], [waiting.id, 'dead', 'The receiver answered 503: ']);

    const again = await send('POST', `/topics/failing/subscriptions/${id}/dead-letters/redrive`, {
      ids: [dead.id],
    });
    assert.deepEqual(again.body, { redriven: 1 });
    await deliverDue({ db, post }, id);
    assert.equal((await log('failing', id))[0].state, 'delivered');
    assert.equal(new Set(received.map(({ headers }) => headers['webhook-id'])).size, 1);
    assert.equal(received.length, 4);
  });

  test('the log keeps what arrived for a week and dead letters for thirty days', async () => {
    const { url, answers } = await receiver();
    const id = await subscribe('swept', url);
    answers.push(204, 204, 410);
    for (const n of [1, 2, 3]) {
      await publish('swept', { n });
      await takeBatches(db, id);
      await deliverDue({ db, post }, id);
    }
    const left = async (days: number) => {
      await sql`
        UPDATE webhook_deliveries SET settled_at = now() - make_interval(days => ${days})
        WHERE subscription_id = ${id}`.execute(db);
      await sweepDeliveries(db);
      return (await log('swept', id)).map(({ state }: { state: string }) => state).sort();
    };
    assert.deepEqual(await left(6), ['dead', 'delivered', 'delivered']);
    assert.deepEqual(await left(8), ['dead']);
    assert.deepEqual(await left(31), []);
  });

  test('a private address is never called, 410 is the end, and who went away keeps nobody else waiting', async () => {
    const { url, received, answers } = await receiver();
    const id = await subscribe('walls', url);
    await publish('walls', { a: 1 });
    await takeBatches(db, id);
    await deliverDue({ db, post: createPoster() }, id);
    const [refused] = await log('walls', id);
    assert.deepEqual([refused.state, refused.status, received.length], ['dead', null, 0]);

    await publish('walls', [{ a: 2 }]);
    await publish('walls', [{ a: 3 }]);
    await takeBatches(db, id);
    answers.push(410, 204);
    await deliverDue({ db, post }, id);
    const states = (await log('walls', id)).map(({ state }: { state: string }) => state).sort();
    assert.deepEqual(states, ['dead', 'dead', 'delivered']);
  });

  test('a stream that is read again brings what stands there again, and adds nothing', async () => {
    const { url, received } = await receiver();
    const id = await subscribe('again', url);
    await publish('again', [{ a: 1 }, { a: 2 }]);
    await takeBatches(db, id);
    await deliverDue({ db, post }, id);
    await sql`UPDATE subscriptions SET position = 0 WHERE id = ${id}`.execute(db);
    await takeBatches(db, id);
    await deliverDue({ db, post }, id);
    assert.equal(received.length, 2);
    assert.equal(received[0]?.headers['webhook-id'], received[1]?.headers['webhook-id']);
    const kept = await rows(db, sql`SELECT id FROM webhook_deliveries WHERE subscription_id = ${id}`);
    assert.equal(kept.length, 1);
  });

  test('the log is kept for a week, dead letters for thirty days', async () => {
    const { url } = await receiver();
    const id = await subscribe('swept', url);
    for (let n = 1; n <= 4; n += 1) await publish('swept', { n });
    await takeBatches(db, id);
    const ages = [
      ['delivered', 8],
      ['delivered', 6],
      ['dead', 31],
      ['dead', 8],
    ] as const;
    const made = (await log('swept', id)).map((each: { id: string }) => each.id).sort();
    for (const [index, [state, days]] of ages.entries()) {
      await sql`
        UPDATE webhook_deliveries SET state = ${state}, body = CASE WHEN ${state} = 'dead' THEN body END, settled_at = now() - ${days}::int * interval '1 day'
        WHERE id = ${made[index]}`.execute(db);
    }
    await sweepDeliveries(db);
    const left = (await log('swept', id)).map((each: { id: string }) => each.id).sort();
    assert.deepEqual(left, [made[1], made[3]]);
  });

  test('deliveries of a dataset’s subscription, another’s, or nobody’s are not found', async () => {
    await publish('plain', { a: 1 });
    const topic = await send('GET', '/topics/plain');
    for (const id of [topic.body.subscriptions[0].id, workspace_id, 'x']) {
      const answer = await send('GET', `/topics/plain/subscriptions/${id}/deliveries`);
      assert.deepEqual([answer.status, answer.body.code], [404, 'subscription_not_found']);
    }
  });
});
