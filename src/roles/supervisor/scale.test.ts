import assert from 'node:assert/strict';
import test from 'node:test';
import { capacity, type QueueReading, utilization } from '#platform/queue/pool.ts';
import fc from '../../../test/support/laws.ts';
import { decide, FRESH, type ScaleRules, shareOf } from './scale.ts';

const RULES: ScaleRules = { min: 1, max: 4, up_after_ms: 5_000, down_after_ms: 60_000 };
const load = (busy: number, queued = 0, oldest_ms = 0, slots = 2): QueueReading[] => [
  { queue: 'load', slots, busy, queued, oldest_ms },
];

/** Looks once a second; what is seen may follow from the target. @returns [second, target] of each change */
function run(
  seconds: number,
  seen: (second: number, target: number) => QueueReading[],
  { rules = RULES, from = rules.min }: { rules?: ScaleRules; from?: number } = {},
): [second: number, target: number][] {
  let state = FRESH;
  let target = from;
  const changes: [number, number][] = [];
  for (let second = 0; second <= seconds; second += 1) {
    const decision = decide(state, target, seen(second, target), second * 1_000, rules);
    assert.equal(decision.reason !== undefined, decision.target !== target, 'a change has a reason, and only a change');
    if (decision.target !== target) changes.push([second, decision.target]);
    ({ state, target } = decision);
  }
  return changes;
}

const flooded = (_: number, target: number): QueueReading[] => load(2 * target, 100);

const CASES: [
  name: string,
  seconds: number,
  seen: Parameters<typeof run>[1],
  options: Parameters<typeof run>[2],
  expected: [number, number][],
][] = [
  ['idle at the least: nothing', 300, () => load(0), {}, []],
  [
    'a flood: 5 s above 75 %, then at most twice as many each time',
    30,
    flooded,
    {},
    [
      [5, 2],
      [11, 4],
    ],
  ],
  [
    'never above the most',
    120,
    flooded,
    { rules: { ...RULES, max: 3 } },
    [
      [5, 2],
      [11, 3],
    ],
  ],
  ['4 s of work are not 5', 60, (second) => load(second % 6 < 5 ? 2 : 1), {}, []],
  ['75 % itself is not above', 60, () => load(6), { from: 4, rules: { ...RULES, max: 8 } }, []],
  ['a little more than 75 %: one more', 12, () => load(7), { from: 4, rules: { ...RULES, max: 8 } }, [[5, 5]]],
  ['idle for 60 s: back to the least at once', 120, () => load(0), { from: 4 }, [[60, 1]]],
  ['one busy slot of eight: as many as half load needs', 120, () => load(1), { from: 4 }, [[60, 1]]],
  ['what was needed meanwhile stays', 120, (second) => load(second === 30 ? 3 : 0), { from: 4 }, [[60, 3]]],
  ['a moment of full load begins the wait anew', 120, (second) => load(second === 30 ? 8 : 0), { from: 4 }, [[91, 1]]],
  ['never below the least', 120, () => load(0), { from: 4, rules: { ...RULES, min: 2 } }, [[60, 2]]],
  ['tasks that wait though slots are free', 12, (second) => load(1, 1, second * 1_000), { from: 2 }, [[11, 3]]],
  [
    'the busiest queue counts, not the sum',
    6,
    () => [...load(0), { queue: 'video', slots: 1, busy: 1, queued: 3, oldest_ms: 0 }],
    {},
    [[5, 2]],
  ],
  ['new limits are kept at once', 1, () => load(0), { from: 9 }, [[0, 4]]],
];
for (const [name, seconds, seen, options, expected] of CASES) {
  test(`decide: ${name}`, () => assert.deepEqual(run(seconds, seen, options), expected));
}

test('law: a constant demand is followed once and never left again; growing ends within the limits', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 60 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 0, max: 10 }),
      fc.integer({ min: 1, max: 16 }),
      (demand, slots, min, more, from) => {
        const rules = { ...RULES, min, max: min + more };
        const seen = (_: number, target: number) => {
          const busy = Math.min(demand, target * slots);
          return load(busy, demand - busy, 0, slots);
        };
        const start = Math.min(rules.max, Math.max(min, from));
        const changes = run(1_000, seen, { rules, from: start });
        const targets = [start, ...changes.map(([, target]) => target)];
        const steps = targets.slice(1).map((target, index) => Math.sign(target - (targets[index] ?? 0)));
        assert.ok(new Set(steps).size <= 1, `went up and down: ${targets.join(' ')}`);
        const last = targets.at(-1) ?? 0;
        assert.ok(last >= min && last <= rules.max);
        assert.ok(last === rules.max || demand <= 0.75 * last * slots, `${demand} on ${last} × ${slots}`);
      },
    ),
  );
});

test('law: two changes in opposite directions are at least the longer wait apart', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 50, maxLength: 400 }), (demands) => {
      const seen = (second: number, target: number) => {
        const demand = demands[second] ?? 0;
        return load(Math.min(demand, 2 * target), Math.max(0, demand - 2 * target));
      };
      const changes = run(demands.length - 1, seen);
      for (const [index, [second, target]] of changes.entries()) {
        const [earlier, before] = changes[index - 1] ?? [Number.NEGATIVE_INFINITY, 0];
        if (index > 0 && target < before)
          assert.ok(second - earlier >= 60, `shrank ${second - earlier} s after a change`);
      }
    }),
  );
});

test('utilization and capacity: of the busiest queue, and a number also when idle', () => {
  const queues = [...load(1, 3), { queue: 'video', slots: 1, busy: 2, queued: 0, oldest_ms: 0 }];
  assert.equal(utilization(queues, 2), 1);
  assert.equal(capacity(queues, 4), 0.5);
  assert.deepEqual([utilization(load(0), 0), utilization([], 1), capacity([], 4)], [0, 0, 0]);
});

test('shareOf: supervisors share the target evenly, and together run exactly that many', () => {
  assert.deepEqual(
    ['a', 'b', 'c'].map((self) => shareOf(7, ['c', 'a', 'b'], self)),
    [3, 2, 2],
  );
  assert.equal(shareOf(3, ['a'], 'not listed'), 0);
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 50 }),
      fc.uniqueArray(fc.uuid(), { minLength: 1, maxLength: 7 }),
      (target, all) => {
        const shares = all.map((self) => shareOf(target, all, self));
        assert.equal(
          shares.reduce((sum, each) => sum + each, 0),
          target,
        );
        assert.ok(Math.max(...shares) - Math.min(...shares) <= 1);
      },
    ),
  );
});
