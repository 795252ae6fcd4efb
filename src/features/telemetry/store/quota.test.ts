import assert from 'node:assert/strict';
import test from 'node:test';
import { createQuotas } from './quota.ts';

test('a system, then its workspace, is held back until the minute is over; others are not', () => {
  let now = 0;
  const quotas = createQuotas({ workspace: 1000, system: 400 }, { monotonic: () => now });
  quotas.charge('a', ['shop'], 399);
  quotas.charge('a', ['shop', 'shop'], 300);
  assert.throws(() => quotas.charge('a', ['bank', 'shop'], 1), { code: 'rate_limited', retry_after: 60 });
  quotas.charge('a', ['bank'], 301);
  now = 45_000;
  assert.throws(() => quotas.charge('a', ['mail'], 1), { code: 'rate_limited', retry_after: 15 });
  quotas.charge('b', ['shop'], 5000);
  now = 60_000;
  quotas.charge('a', ['shop'], 1);
});
