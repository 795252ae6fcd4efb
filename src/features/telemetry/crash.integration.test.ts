import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import test from 'node:test';
import { newId } from '#kernel/ids.ts';
import { rows, sql } from '#platform/db/db.ts';
import { needsDatabase, testDatabase } from '../../../test/support/database.ts';
import { temporaryDirectory } from '../../../test/support/object-store.ts';
import { spansExport } from '../../../test/support/telemetry.ts';
import { startTelemetryProcess, type TelemetryProcess } from '../../../test/support/telemetry-process.ts';
import { headersOfSender } from './internal.ts';
import { encodeQuestion, QUESTION_PATH } from './remote.ts';

const SECRET = 'between us';
const WORKSPACE = newId();
const ROUNDS = 6;
const SENDERS = 4;

/**
 * The process is killed while senders write and flushes run (every 50 ms, so that kills also fall between the
 * commit of the segments and the end of their write-ahead file); every acknowledged span must be there once.
 */
test('kill -9: acknowledged exports are kept, once', { skip: needsDatabase, timeout: 300_000 }, async () => {
  const database = await testDatabase();
  const root = await temporaryDirectory();
  const settings = {
    databaseUrl: database.url,
    directory: join(root, 'telemetry'),
    objects: join(root, 'objects'),
    internalSecret: SECRET,
    flushEveryMs: 50,
  };
  const trace = randomBytes(16).toString('hex');
  const acknowledged = new Set<string>();
  const doubtful = new Set<string>();
  for (let round = 0; round < ROUNDS; round += 1) {
    const running = await startTelemetryProcess(settings);
    const sending = Array.from({ length: SENDERS }, () => sendUntilItDies(running, trace, acknowledged, doubtful));
    const goal = acknowledged.size + 20 + 15 * round;
    await Promise.race([reached(acknowledged, goal), ...sending]);
    await running.kill();
    await Promise.all(sending);
  }
  assert.ok(acknowledged.size >= 20 * ROUNDS);
  const last = await startTelemetryProcess({ ...settings, flushEveryMs: 3_600_000 });
  const found = await spanIds(last, trace);
  const missing = [...acknowledged].filter((id) => !found.includes(id));
  assert.deepEqual(missing, [], `${missing.length} of ${acknowledged.size} acknowledged spans are lost`);
  const strange = found.filter((id) => !acknowledged.has(id) && !doubtful.has(id));
  assert.deepEqual(strange, []);
  await last.stop();
  const [stored] = await rows(
    database.db,
    sql<{ rows: number }>`SELECT sum(rows) AS rows FROM telemetry_segments WHERE signal = 'spans'`,
  );
  assert.equal(stored?.rows, found.length, 'each span is in exactly one segment');
});

const headers = {
  ...headersOfSender({ kind: 'workspace', workspace_id: WORKSPACE }, SECRET),
  'content-type': 'application/json',
};

/** A sent span is doubtful until its answer: the process may have died after the write and before the answer. */
async function sendUntilItDies(
  target: TelemetryProcess,
  trace: string,
  acknowledged: Set<string>,
  doubtful: Set<string>,
): Promise<void> {
  for (;;) {
    const span = randomBytes(8).toString('hex');
    doubtful.add(span);
    const { body } = spansExport([{ trace, span }]);
    try {
      const response = await fetch(`${target.origin}/v1/traces`, {
        method: 'POST',
        headers,
        body: new Uint8Array(body),
      });
      assert.equal(response.status, 200);
      await response.arrayBuffer();
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      return;
    }
    acknowledged.add(span);
    doubtful.delete(span);
    for (const waiter of waiters) waiter();
  }
}

const waiters = new Set<() => void>();

function reached(set: Set<string>, size: number): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (set.size < size) return;
      waiters.delete(look);
      resolve();
    };
    waiters.add(look);
  });
}

async function spanIds(target: TelemetryProcess, trace: string): Promise<string[]> {
  const visible = { workspace_id: WORKSPACE, operator: false };
  const response = await fetch(`${target.origin}${QUESTION_PATH}`, {
    method: 'POST',
    headers,
    body: encodeQuestion({ ask: 'trace', args: [visible, trace] }),
  });
  const answer = (await response.json()) as { spans: { span_id: string }[] };
  return answer.spans.map((span) => span.span_id);
}
