import assert from 'node:assert/strict';
import { test } from 'node:test';
import pino from 'pino';
import { Webhook } from 'standardwebhooks';
import { NAME, type Series, seriesInMemory } from '#contract/metrics/series.ts';
import type { PolicyInput } from '#contract/policies.ts';
import type { Principal } from '#contract/principal.ts';
import type { Clock } from '#kernel/clock.ts';
import { newId } from '#kernel/ids.ts';
import { type Db, first, rows, sql, transaction } from '#platform/db/db.ts';
import { needsDatabase, testDatabase } from '../../../test/support/database.ts';
import { testGateway } from '../../../test/support/http.ts';
import { evaluatePolicies } from './engine/evaluate.ts';
import { incidentRoutes } from './incidents.route.ts';
import { acknowledgeIncident } from './incidents.ts';
import { channelRoutes } from './notify/channels.route.ts';
import { createDeliver } from './notify/deliver.ts';
import { type Deliver, type Message, queueMail, tellDue } from './notify/outbox.ts';
import { policyRoutes } from './policies.route.ts';
import { changePolicy, createPolicy, getPolicy, seedPolicies } from './policies.ts';

const log = pino({ level: 'silent' });
const START = Date.parse('2026-03-01T00:00:00Z');
const at = (seconds: number): Date => new Date(START + seconds * 1000);

interface Room {
  db: Db;
  principal: Principal;
  told: Message[];
  /** Evaluates and tells at this second; `values` are the series `load{unit}` of that moment. */
  moment(seconds: number, values: Record<string, number>): Promise<void>;
  tell(seconds: number): Promise<void>;
  breakDelivery(error: Error | undefined): void;
  policy(input: Partial<PolicyInput>): Promise<string>;
}

async function room(): Promise<Room> {
  const { db } = await testDatabase();
  const workspace_id = newId();
  await sql`INSERT INTO workspaces (id, name) VALUES (${workspace_id}, 'w')`.execute(db);
  const principal: Principal = {
    kind: 'user',
    user_id: newId(),
    username: 'ana',
    workspace_id,
    role: 'owner',
    scopes: ['admin'],
    operator: false,
    credential_id: newId(),
  };
  let now = at(0);
  let broken: Error | undefined;
  const told: Message[] = [];
  const clock: Clock = { now: () => now, monotonic: () => now.getTime() };
  const deliver: Deliver = async (message) => {
    if (broken) throw broken;
    told.push(message);
  };
  const tell = async (seconds: number) => {
    now = at(seconds);
    await tellDue({ db, clock, log, deliver, random: () => 1 });
  };
  return {
    db,
    principal,
    told,
    tell,
    async moment(seconds, values) {
      now = at(seconds);
      const series = Object.entries(values).map(
        ([unit, value]): Series => ({ labels: { [NAME]: 'load', unit }, times: [now.getTime()], values: [value] }),
      );
      await evaluatePolicies({ db, clock, log, selectFor: () => seriesInMemory(series) }, now);
      await tell(seconds);
    },
    breakDelivery: (error) => {
      broken = error;
    },
    policy: (input) =>
      createPolicy(db, principal, {
        name: 'Load',
        condition: { kind: 'threshold', metric: 'load', comparison: '>', threshold: 5 },
        severity: 'page',
        ...input,
      }),
  };
}

const reasons = ({ told }: Room): string[] => told.map(({ reason }) => reason);
const active = async ({ db }: Room) =>
  rows(db, sql<{ id: string; state: string }>`SELECT * FROM incidents WHERE state <> 'resolved' ORDER BY id`);

test('one incident and one message for all series; further ones after a while; one end', {
  skip: needsDatabase,
}, async () => {
  const r = await room();
  await r.policy({ for: '30s', notify: { group_wait: '15s', group_interval: '1m' } });
  await r.moment(0, { a: 9, b: 9, c: 1 });
  await r.moment(15, { a: 9, b: 9, c: 1 });
  assert.deepEqual(await active(r), [], 'it has held for 15 s only');
  await r.moment(30, { a: 9, b: 9, c: 1 });
  assert.equal((await active(r)).length, 1);
  assert.deepEqual(reasons(r), [], 'the first message waits for further series');
  await r.moment(45, { a: 9, b: 9, c: 9 });
  assert.deepEqual(reasons(r), ['opened']);
  assert.equal(r.told[0]?.incident?.title, 'Load');
  await r.moment(60, { a: 9, b: 9, c: 9 });
  await r.moment(75, { a: 9, b: 9, c: 9 });
  assert.deepEqual(reasons(r), ['opened'], 'c joined, and waits for the interval');
  await r.moment(105, { a: 9, b: 9, c: 9 });
  assert.deepEqual(reasons(r), ['opened', 'updated']);
  await r.moment(120, { a: 1, b: 1, c: 9 });
  assert.equal((await active(r)).length, 1, 'one series still holds');
  await r.moment(135, { a: 1, b: 1, c: 1 });
  assert.deepEqual(await active(r), []);
  assert.deepEqual(reasons(r), ['opened', 'updated', 'resolved']);
  const [policy] = await Promise.all([first(r.db, sql<{ id: string }>`SELECT id FROM policies`)]);
  const { fired, acknowledged, flapped } = await getPolicy(r.db, r.principal, policy?.id ?? '');
  assert.deepEqual({ fired, acknowledged, flapped }, { fired: 0, acknowledged: 0, flapped: 0 }, 'older than 30 days');
});

test('what was pending outlives the evaluator for an hour, not longer', { skip: needsDatabase }, async () => {
  const r = await room();
  await r.policy({ for: '45m' });
  await r.moment(0, { a: 9 });
  // Nobody evaluates for 50 minutes; all state is in the database.
  await r.moment(50 * 60, { a: 9 });
  assert.equal((await active(r)).length, 1, 'for counts from the first moment');

  const s = await room();
  await s.policy({ for: '45m' });
  await s.moment(0, { a: 9 });
  await s.moment(61 * 60, { a: 9 });
  assert.deepEqual(await active(s), []);
  await s.moment(75 * 60, { a: 9 });
  assert.deepEqual(await active(s), [], 'the count began anew');
  await s.moment(106 * 60, { a: 9 });
  assert.equal((await active(s)).length, 1);
});

test('a missed evaluation begins the count anew; keep_firing_for does not', { skip: needsDatabase }, async () => {
  const r = await room();
  await r.policy({ for: '30s', keep_firing_for: '30s' });
  await r.moment(0, { a: 9 });
  await r.moment(15, { a: 1 });
  await r.moment(30, { a: 9 });
  await r.moment(45, { a: 9 });
  assert.deepEqual(await active(r), []);
  await r.moment(60, { a: 9 });
  assert.equal((await active(r)).length, 1);
  await r.moment(75, { a: 1 });
  await r.moment(90, { a: 1 });
  assert.equal((await active(r)).length, 1);
  await r.moment(105, { a: 1 });
  assert.deepEqual(await active(r), []);
});

test('repeats stop when somebody takes it on; nobody does: it escalates', { skip: needsDatabase }, async () => {
  const r = await room();
  await r.policy({ notify: { group_wait: '0s', repeat_interval: '10m', escalate_after: '15m' } });
  const channel = (name: string, escalation: boolean) =>
    sql`INSERT INTO channels (id, workspace_id, name, kind, config, severities, escalation)
        VALUES (${newId()}, ${r.principal.workspace_id}, ${name}, 'email', '{"to": ["a@example.org"]}', '{page}', ${escalation})`.execute(
      r.db,
    );
  await channel('first', false);
  await channel('second', true);
  const heard = () => r.told.map(({ reason, channel: to }) => `${reason} ${to?.name}`);
  await r.moment(0, { a: 9 });
  await r.moment(600, { a: 9 });
  await r.moment(900, { a: 9 });
  assert.deepEqual(heard(), ['opened first', 'repeated first', 'escalated second']);
  const [incident] = await active(r);
  await transaction(r.db, (tx) => acknowledgeIncident(tx, incident?.id ?? '', 'ana', 'mine', at(901)));
  await assert.rejects(
    transaction(r.db, (tx) => acknowledgeIncident(tx, incident?.id ?? '', 'eva', undefined, at(902))),
    { code: 'incident_closed' },
  );
  await r.moment(1300, { a: 9 });
  assert.equal(heard().length, 3);
  await r.moment(1400, { a: 1 });
  assert.deepEqual(heard().slice(3).sort(), ['resolved first', 'resolved second']);
});

test('what is silenced or inhibited is told when it lasts longer, and never when it does not', {
  skip: needsDatabase,
}, async () => {
  const r = await room();
  await r.policy({ notify: { group_by: ['unit'], group_wait: '0s' } });
  await r.policy({
    name: 'Cause',
    condition: { kind: 'expression', expression: 'load{unit="z"} > 5' },
    notify: { group_wait: '0s' },
    severity: 'info',
  });
  await sql`UPDATE policies SET notify = notify || '{"inhibited_by": ["Cause"]}' WHERE name = 'Load'`.execute(r.db);
  await sql`INSERT INTO silences (id, workspace_id, matchers, comment, starts_at, ends_at, created_by)
    VALUES (${newId()}, ${r.principal.workspace_id}, '[{"label":"unit","op":"=","value":"a"},{"label":"policy","op":"=","value":"Load"}]',
            'known', ${at(0)}, ${at(100)}, 'ana')`.execute(r.db);
  const units = () => r.told.map(({ reason, incident }) => `${reason} ${incident?.labels['unit']}`);
  await r.moment(15, { a: 9, b: 9 });
  assert.deepEqual(units(), ['opened b']);
  await r.moment(30, { a: 9, b: 9, z: 9, d: 9 });
  await r.moment(45, { b: 9, z: 1, d: 9 });
  assert.deepEqual(
    units(),
    ['opened b', 'opened d'],
    'a ended while it was silenced; d was told when its cause was over',
  );
  await r.moment(60, { a: 9, b: 9, d: 9 });
  await r.tell(101);
  assert.deepEqual(units().at(-1), 'opened a');
  const silenced = await rows(
    r.db,
    sql`SELECT 1 FROM incident_events WHERE kind = 'not_told' AND detail->>'why' = 'silenced'`,
  );
  assert.equal(silenced.length, 2);
});

test('what cannot be delivered is tried again and arrives once', { skip: needsDatabase }, async () => {
  const r = await room();
  await r.policy({ notify: { group_wait: '0s' } });
  await queueMail(r.db, { to: 'x@example.org', subject: 's', text: 't' }, at(0));
  r.breakDelivery(new Error('connection refused'));
  await r.moment(0, { a: 9 });
  await r.tell(1);
  assert.deepEqual(reasons(r), []);
  await r.moment(15, { a: 1 });
  r.breakDelivery(undefined);
  for (let second = 16; second < 120; second += 1) await r.tell(second);
  // It ended before it could be told, and this policy does not tell what is over; the mail of another room arrives.
  assert.deepEqual(reasons(r), ['mail']);
  await r.moment(120, { a: 9 });
  await r.moment(135, { a: 9 });
  assert.deepEqual(reasons(r), ['mail', 'opened']);
});

test('a policy that cannot be evaluated says why and does not stop the others', { skip: needsDatabase }, async () => {
  const r = await room();
  const id = await r.policy({ name: 'Doubled', condition: { kind: 'expression', expression: 'load / on () load' } });
  await r.policy({});
  await r.moment(0, { a: 9, b: 9 });
  assert.match((await getPolicy(r.db, r.principal, id)).error ?? '', /right side/);
  assert.equal((await active(r)).length, 1);
  const load = await first(r.db, sql<{ id: string }>`SELECT id FROM policies WHERE name = 'Load'`);
  await changePolicy(r.db, await getPolicy(r.db, r.principal, load?.id ?? ''), { enabled: false });
  await r.moment(15, { a: 9, b: 9 });
  assert.deepEqual(await active(r), [], 'switched off');
});

test('over HTTP: made, changed, seen by their owners only, previewed, exported', { skip: needsDatabase }, async () => {
  const r = await room();
  await seedPolicies(r.db);
  await seedPolicies(r.db);
  const clock: Clock = { now: () => at(3600), monotonic: () => 0 };
  const posted: { url: string; body: string; headers: Record<string, string> }[] = [];
  const deliver = createDeliver({
    db: r.db,
    clock,
    mailer: null,
    post: async (url, body, headers) => {
      posted.push({ url, body, headers });
      return { status: url.includes('bad') ? 410 : 204, body: 'gone' };
    },
    publicUrl: 'https://caudal.example.org',
    operators: [],
    refresh: async (incident) => incident,
  });
  const series: Series = { labels: { [NAME]: 'load', unit: 'a' }, times: [START, START + 60_000], values: [9, 1] };
  const { call, grant } = await testGateway(r.db, (app) => {
    policyRoutes({ db: r.db, clock, selectFor: () => seriesInMemory([series]) })(app);
    incidentRoutes({ db: r.db, clock })(app);
    channelRoutes({ db: r.db, clock, deliver })(app);
  });
  const mine = grant(r.principal.workspace_id);
  const viewer = grant(r.principal.workspace_id, ['telemetry:read']);
  const other = grant(newId());
  const condition = { kind: 'expression', expression: 'load > 5' };

  const made = await call('POST', '/policies', { name: 'Load', condition, for: '5m' }, mine);
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const path = `/policies/${made.body.id}`;
  assert.equal((await call('GET', path, undefined, viewer)).body.expression, 'load > 5');
  assert.equal((await call('GET', path, undefined, other)).status, 404);
  assert.equal((await call('PATCH', path, { enabled: false }, viewer)).status, 403);
  assert.equal((await call('PATCH', path, { enabled: false }, other)).status, 404);
  assert.equal((await call('PATCH', path, { enabled: false, for: '1m' }, mine)).body.state, 'off');
  assert.equal((await call('POST', '/policies', { name: 'load', condition }, mine)).body.code, 'already_taken');
  assert.equal((await call('POST', '/policies', { name: 'x', condition, scope: 'installation' }, mine)).status, 403);
  const wrong = await call('POST', '/policies', { name: 'x', condition: { ...condition, expression: 'load >' } }, mine);
  assert.deepEqual([wrong.status, wrong.body.errors[0].field, wrong.body.position], [422, 'condition.expression', 6]);
  assert.equal(
    (await call('GET', '/policies', undefined, mine)).body.items.length,
    1,
    'the installation’s are the operator’s',
  );

  const preview = await call(
    'POST',
    '/policies/preview',
    { condition, from: at(0).toISOString(), to: at(120).toISOString() },
    viewer,
  );
  assert.equal(preview.status, 200, JSON.stringify(preview.body));
  assert.deepEqual(
    preview.body.fired.map((each: { resolved_at: string }) => each.resolved_at),
    [at(60).toISOString()],
  );
  const exported = await call('GET', '/policies/export', undefined, mine);
  assert.match(exported.body, /groups:/);
  assert.equal((await call('DELETE', path, undefined, mine)).status, 204);

  const hook = await call(
    'POST',
    '/channels',
    { name: 'Hook', kind: 'webhook', webhook: { url: 'https://example.org/hook' } },
    mine,
  );
  assert.equal(hook.status, 201, JSON.stringify(hook.body));
  assert.deepEqual((await call('POST', `/channels/${hook.body.id}/test`, undefined, mine)).body, {
    delivered: true,
    error: null,
  });
  const sent = posted[0];
  assert.ok(sent);
  const signed = new Webhook(hook.body.secret).sign(sent.headers['webhook-id'] ?? '', at(3600), sent.body);
  assert.equal(sent.headers['webhook-signature'], signed);
  assert.equal((await call('GET', `/channels/${hook.body.id}`, undefined, viewer)).body.secret, undefined);
  await call('PATCH', `/channels/${hook.body.id}`, { webhook: { url: 'https://bad.example.org' } }, mine);
  assert.match((await call('POST', `/channels/${hook.body.id}/test`, undefined, mine)).body.error, /410/);
  const pager = { name: 'P', kind: 'pagerduty', routing_key: 'R0123456789' };
  const made2 = await call('POST', '/channels', pager, mine);
  await call('POST', `/channels/${made2.body.id}/test`, undefined, mine);
  assert.equal(JSON.parse(posted.at(-1)?.body ?? '').routing_key, 'R0123456789');
  assert.equal((await call('DELETE', `/channels/${hook.body.id}`, undefined, other)).status, 404);
  assert.equal((await call('DELETE', `/channels/${hook.body.id}`, undefined, mine)).status, 204);

  const silence = { matchers: [{ label: 'unit', value: 'a' }], comment: 'known', ends_at: at(7200).toISOString() };
  const muted = await call('POST', '/silences', silence, mine);
  assert.equal(muted.body.state, 'active', JSON.stringify(muted.body));
  assert.equal((await call('POST', '/silences', { ...silence, ends_at: at(1).toISOString() }, mine)).status, 422);
  assert.equal((await call('DELETE', `/silences/${muted.body.id}`, undefined, mine)).status, 204);
  assert.deepEqual((await call('GET', '/incidents?state=active', undefined, viewer)).body.items, []);
});
