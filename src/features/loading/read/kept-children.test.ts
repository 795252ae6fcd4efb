import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { HowItEnded, NodeChild } from '#platform/process/node-child.ts';
import { keepChildren } from './kept-children.ts';

/** What the keeping sees of a process: that it ends when it is told to. */
function child() {
  const { promise, resolve } = Promise.withResolvers<HowItEnded>();
  const state = { killed: false };
  const kill = () => {
    state.killed = true;
    resolve({ code: null, signal: 'SIGKILL', stderr: '' });
  };
  return { state, kill, child: { ended: promise, kill } as NodeChild };
}

function withTimers(t: TestContext): (ms: number) => void {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  return (ms) => t.mock.timers.tick(ms);
}

test('a child is for its workspace alone, the last one first', (t) => {
  withTimers(t);
  const kept = keepChildren(3);
  const [first, second, other] = [child(), child(), child()];
  kept.give(first.child, 'a');
  kept.give(other.child, 'b');
  kept.give(second.child, 'a');
  assert.equal(kept.take('c'), undefined);
  assert.equal(kept.take('a'), second.child);
  assert.equal(kept.take('a'), first.child);
  assert.equal(kept.take('a'), undefined);
  assert.deepEqual(kept.all(), [other.child]);
});

test('one that waits in vain ends, one that is taken does not', (t) => {
  const pass = withTimers(t);
  const kept = keepChildren(2);
  const [idle, taken] = [child(), child()];
  kept.give(idle.child, 'a');
  kept.give(taken.child, 'b');
  pass(4_000);
  kept.take('b');
  pass(2_000);
  assert.deepEqual([idle.state.killed, taken.state.killed], [true, false]);
  assert.deepEqual(kept.all(), []);
});

test('there are never more than asked for, and none reads for ever', (t) => {
  withTimers(t);
  const kept = keepChildren(1);
  const [oldest, newest] = [child(), child()];
  kept.give(oldest.child, 'a');
  kept.give(newest.child, 'b');
  assert.deepEqual([oldest.state.killed, kept.all()], [true, [newest.child]]);
  let files = 1;
  for (; !newest.state.killed; files += 1) {
    assert.equal(kept.take('b'), newest.child);
    kept.give(newest.child, 'b');
  }
  assert.equal(files, 64);
});

test('one that dies while it waits is not given out', async (t) => {
  withTimers(t);
  const kept = keepChildren(1);
  const dying = child();
  kept.give(dying.child, 'a');
  dying.kill();
  await dying.child.ended;
  assert.equal(kept.take('a'), undefined);
});
