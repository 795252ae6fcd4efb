import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CaudalError } from '#kernel/errors.ts';
import { createSlots } from './slots.ts';

test('slots are given in the order of asking', async () => {
  const slots = createSlots({ count: 1, queue: 2, wait_ms: 10_000 });
  const order: number[] = [];
  await slots.take();
  const first = slots.take().then(() => order.push(1));
  const second = slots.take().then(() => order.push(2));
  assert.deepEqual([slots.busy, slots.queued], [1, 2]);
  slots.give();
  await first;
  slots.give();
  await second;
  slots.give();
  assert.deepEqual(order, [1, 2]);
  assert.deepEqual([slots.busy, slots.queued], [0, 0]);
});

test('a full queue and a long wait answer sql_busy with Retry-After', async () => {
  const slots = createSlots({ count: 1, queue: 1, wait_ms: 5 });
  await slots.take();
  const waiting = slots.take();
  const busy = (error: unknown) => error instanceof CaudalError && error.code === 'sql_busy' && error.retry_after === 1;
  await assert.rejects(slots.take(), busy);
  await assert.rejects(waiting, busy);
  assert.equal(slots.queued, 0);
});

test('who leaves the queue takes no slot', async () => {
  const slots = createSlots({ count: 1, queue: 5, wait_ms: 10_000 });
  await slots.take();
  const leaving = new AbortController();
  const left = slots.take(leaving.signal);
  const staying = slots.take();
  leaving.abort(new Error('left'));
  await assert.rejects(left, /left/);
  slots.give();
  await staying;
  assert.deepEqual([slots.busy, slots.queued], [1, 0]);
});
