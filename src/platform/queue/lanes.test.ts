import assert from 'node:assert/strict';
import test from 'node:test';
import { newId } from '#kernel/ids.ts';
import fc from '../../../test/support/laws.ts';
import { allocate, type Lane, laneOf } from './lanes.ts';

test('a lane fits a priority of pg-boss and belongs to its workspace', () => {
  const id = newId();
  assert.equal(laneOf(id), laneOf(id));
  assert.equal(laneOf('00000000-0000-7000-8000-0000ffffffff'), 2 ** 31 - 1);
  const lanes = new Set(Array.from({ length: 1_000 }, () => laneOf(newId())));
  assert.ok(lanes.size >= 999, `${lanes.size}`);
});

const CASES: [name: string, free: number, lanes: [running: number][], most: number | undefined, takes: number[]][] = [
  ['nothing waits', 4, [], undefined, []],
  ['alone: everything', 4, [[0]], undefined, [4]],
  ['two newcomers share', 4, [[0], [0]], undefined, [2, 2]],
  ['an odd slot goes to who waits longer', 3, [[0], [0]], undefined, [2, 1]],
  ['who has none comes first', 1, [[4], [0]], undefined, [0, 1]],
  ['the gap is closed first', 4, [[3], [1]], undefined, [1, 3]],
  ['nobody gets more than its most', 4, [[0], [5]], 2, [2, 0]],
  ['no slot, no turn', 0, [[0]], undefined, [0]],
];
for (const [name, free, running, most, takes] of CASES) {
  test(`allocate: ${name}`, () => {
    const lanes = running.map(([count], lane) => ({ lane, running: count }));
    const drawn = new Map(allocate(free, lanes, most).map(({ lane, take }) => [lane, take]));
    assert.deepEqual(
      lanes.map(({ lane }) => drawn.get(lane) ?? 0),
      takes,
    );
  });
}

test('law: slots are used while there is room, and nobody gets one while another that waits has fewer', () => {
  const lane = fc.record({ running: fc.integer({ min: 0, max: 20 }) });
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 40 }),
      fc.array(lane, { maxLength: 12 }),
      fc.integer({ min: 1, max: 20 }),
      (free, found, most) => {
        const lanes: Lane[] = found.map(({ running }, index) => ({ lane: index, running }));
        const takes = new Map(allocate(free, lanes, most).map((draw) => [draw.lane, draw.take]));
        const after = lanes.map((each) => ({ ...each, take: takes.get(each.lane) ?? 0 }));
        const given = after.reduce((sum, { take }) => sum + take, 0);
        const room = lanes.reduce((sum, { running }) => sum + Math.max(0, most - running), 0);
        assert.equal(given, Math.min(free, room));
        for (const one of after.filter(({ take }) => take > 0)) {
          for (const other of after) {
            const total = other.running + other.take;
            if (total < most) assert.ok(one.running + one.take - 1 <= total, `${JSON.stringify(after)}`);
          }
        }
      },
    ),
  );
});
