import assert from 'node:assert/strict';
import test from 'node:test';
import { type Exporter, patient } from './patience.ts';

const FAST = { limitMs: 60_000, retry: { base: 1, cap: 2 } };

/** Fails with the given errors in turn, then succeeds. */
function flaky(failures: Error[]): Exporter<string> & { seen: string[][] } {
  const seen: string[][] = [];
  return {
    seen,
    export(items, done) {
      seen.push(items);
      const error = failures.shift();
      done(error ? { code: 1, error } : { code: 0 });
    },
    shutdown: () => Promise.resolve(),
  };
}

const send = (exporter: Exporter<string>, items: string[]) =>
  new Promise<{ code: number; error?: Error }>((resolve) => exporter.export(items, resolve));

test('a batch is tried until the intake is back', async () => {
  const inner = flaky([new Error('refused'), new Error('refused'), new Error('refused')]);
  assert.equal((await send(patient(inner, FAST).exporter, ['a'])).code, 0);
  assert.deepEqual(inner.seen, [['a'], ['a'], ['a'], ['a']]);
});

test('what will not get better is not tried again', async () => {
  const inner = flaky([Object.assign(new Error('unauthorized'), { code: 401 })]);
  const result = await send(patient(inner, FAST).exporter, ['a']);
  assert.equal(result.error?.message, 'unauthorized');
  assert.equal(inner.seen.length, 1);
});

test('patience ends', async () => {
  const inner = flaky(Array.from({ length: 1000 }, () => new Error('refused')));
  const { exporter } = patient(inner, { limitMs: 5, retry: { base: 1, cap: 1 } });
  assert.equal((await send(exporter, ['a'])).code, 1);
  assert.ok(inner.seen.length < 20);
});

test('in a hurry nothing waits: neither what was being retried nor what comes', async () => {
  const inner = flaky([new Error('refused'), new Error('refused again')]);
  const { exporter, hurry } = patient(inner, { limitMs: 60_000, retry: { base: 60_000, cap: 60_000 } });
  const waiting = send(exporter, ['a']);
  hurry();
  assert.equal((await waiting).error?.message, 'refused');
  assert.equal((await send(exporter, ['b'])).error?.message, 'refused again');
  assert.equal(inner.seen.length, 2);
});
