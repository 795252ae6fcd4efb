import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAnswerCache } from './answer-cache.ts';

test('the cache forgets the least recently used, and keeps to its size', () => {
  const cache = createAnswerCache(100_000);
  const answer = { body: Buffer.alloc(4000), headers: {} };
  for (let index = 0; index < 50; index += 1) {
    cache.set(`k${index}`, answer);
    cache.get('k0');
  }
  assert.ok(cache.stats().bytes <= 100_000);
  assert.ok(cache.get('k0'));
  assert.ok(cache.get('k49'));
  assert.equal(cache.get('k1'), undefined);
  cache.set('large', { body: Buffer.alloc(50_000), headers: {} });
  assert.equal(cache.get('large'), undefined);
});
