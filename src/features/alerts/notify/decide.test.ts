import assert from 'node:assert/strict';
import { test } from 'node:test';
import { INCIDENT_EVENTS, INCIDENT_STATES, nextIncidentState } from '#contract/incidents.ts';
import { createHeartbeatWatch } from '../down/heartbeats.ts';
import { settledAt } from '../down/settled.ts';
import { type Due, decide } from './decide.ts';

const due: Due = {
  reason: 'opened',
  incident: 'open',
  opened: 'waiting',
  tellBrief: false,
  silenced: false,
  inhibited: false,
};

const CASES: [what: Partial<Due>, verdict: string][] = [
  [{}, 'send'],
  [{ silenced: true }, 'hold silenced'],
  [{ inhibited: true }, 'hold inhibited'],
  [{ silenced: true, incident: 'resolved' }, 'drop silenced'],
  [{ incident: 'resolved' }, 'drop brief'],
  [{ incident: 'resolved', tellBrief: true }, 'send'],
  [{ incident: 'acknowledged' }, 'send'],
  [{ reason: 'updated', incident: 'acknowledged', opened: 'sent' }, 'send'],
  [{ reason: 'updated', incident: 'resolved', opened: 'sent' }, 'drop resolved'],
  [{ reason: 'repeated', opened: 'sent' }, 'send'],
  [{ reason: 'repeated', incident: 'acknowledged', opened: 'sent' }, 'drop acknowledged'],
  [{ reason: 'repeated', silenced: true, opened: 'sent' }, 'hold silenced'],
  [{ reason: 'escalated', incident: 'acknowledged' }, 'drop acknowledged'],
  [{ reason: 'escalated', incident: 'resolved' }, 'drop resolved'],
  [{ reason: 'escalated' }, 'send'],
  [{ reason: 'resolved', incident: 'resolved', opened: 'sent' }, 'send'],
  [{ reason: 'resolved', incident: 'resolved', opened: 'sent', silenced: true }, 'send'],
  [{ reason: 'resolved', incident: 'resolved', opened: 'waiting' }, 'hold after the first message'],
  [{ reason: 'resolved', incident: 'resolved', opened: 'dropped' }, 'drop never told'],
  [{ reason: 'resolved', incident: 'resolved', opened: 'failed' }, 'drop never told'],
  [{ reason: 'test', silenced: true, inhibited: true }, 'send'],
  [{ reason: 'mail', silenced: true }, 'send'],
];

test('what is told, held back or dropped', () => {
  for (const [what, expected] of CASES) {
    const verdict = decide({ ...due, ...what });
    assert.equal('why' in verdict ? `${verdict.do} ${verdict.why}` : verdict.do, expected, JSON.stringify(what));
  }
});

test('what may happen to an incident', () => {
  const possible = INCIDENT_STATES.flatMap((from) =>
    INCIDENT_EVENTS.flatMap((event) => {
      const to = nextIncidentState(from, event);
      return to ? [`${from} ${event} ${to}`] : [];
    }),
  );
  assert.deepEqual(possible, [
    'open acknowledge acknowledged',
    'open escalate open',
    'open resolve resolved',
    'acknowledged resolve resolved',
  ]);
});

test('a process is silent after fifteen seconds of the watcher’s own clock without a beat', () => {
  const watch = createHeartbeatWatch();
  assert.deepEqual(
    watch.look(
      [
        { id: 'a', beat: 7 },
        { id: 'b', beat: 1 },
      ],
      1_000,
    ),
    [],
  );
  assert.deepEqual(
    watch.look(
      [
        { id: 'a', beat: 8 },
        { id: 'b', beat: 1 },
      ],
      6_000,
    ),
    [],
  );
  assert.deepEqual(
    watch.look(
      [
        { id: 'a', beat: 9 },
        { id: 'b', beat: 1 },
      ],
      15_999,
    ),
    [],
  );
  assert.deepEqual(
    watch.look(
      [
        { id: 'a', beat: 10 },
        { id: 'b', beat: 1 },
      ],
      16_000,
    ),
    ['b'],
  );
  assert.deepEqual(
    watch.look(
      [
        { id: 'a', beat: 11 },
        { id: 'b', beat: 2 },
      ],
      17_000,
    ),
    [],
    'it is back',
  );
  assert.deepEqual(watch.look([{ id: 'a', beat: 11 }], 40_000), ['a']);
});

test('one that dies again and again is back only when it has lived for longer and longer', () => {
  const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1) + seconds * 1000);
  const loss = (seconds: number | null) => ({ replaced_at: seconds === null ? null : at(seconds).toISOString() });
  assert.equal(settledAt([loss(null)], at(100)), false);
  assert.equal(settledAt([loss(0)], at(4)), false);
  assert.equal(settledAt([loss(0)], at(5)), true);
  assert.equal(settledAt([loss(60), loss(30), loss(0)], at(79)), false);
  assert.equal(settledAt([loss(60), loss(30), loss(0)], at(80)), true);
  assert.equal(settledAt([], at(0)), true);
});
