import assert from 'node:assert/strict';
import test from 'node:test';
import { type Look, lookForSilence } from './silence.ts';

/** Looks at given seconds; each sees `beats` of that moment. @returns who was silent at each look */
function looks(seen: [second: number, beats: Record<string, number>][]): string[][] {
  let last: Look | undefined;
  return seen.map(([second, beats]) => {
    const instances = Object.entries(beats).map(([id, beat]) => ({ id, beat }));
    last = lookForSilence(last, instances, second * 1_000);
    return last.silent;
  });
}
const every = (step: number, until: number, beats: (second: number) => Record<string, number>) =>
  Array.from({ length: Math.floor(until / step) + 1 }, (_, at): [number, Record<string, number>] => [
    at * step,
    beats(at * step),
  ]);

test('who beats is never silent; who stops is after 15 s', () => {
  const found = looks(
    every(2, 40, (second) => ({ alive: Math.floor(second / 5), dead: Math.min(2, Math.floor(second / 5)) })),
  );
  const at = found.findIndex((silent) => silent.length > 0);
  assert.deepEqual([found[at], at * 2], [['dead'], 26], 'its last beat was seen at second 10');
  assert.ok(found.every((silent) => !silent.includes('alive')));
});

test('who could not look for a while knows nothing: nobody is silent because the database was away', () => {
  const before = every(2, 10, () => ({ a: 1 }));
  assert.deepEqual(looks([...before, [60, { a: 1 }], [62, { a: 1 }], [64, { a: 2 }]]).flat(), []);
});

test('whoever is new gets its 15 s, and one that is gone from the list is forgotten', () => {
  const found = looks(every(2, 30, (second) => ({ [second < 4 ? 'a' : 'b']: 1 })));
  assert.deepEqual(found.slice(0, 10).flat(), []);
  assert.deepEqual(found.at(-1), ['b']);
});
