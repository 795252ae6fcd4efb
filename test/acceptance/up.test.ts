import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { canSeeProcesses, listProcesses, waitForEnd } from '#platform/process/processes.ts';
import { type Installation, installation, type Running } from '../support/caudal.ts';
import { eventually } from '../support/eventually.ts';

const here: Installation = installation();
let running: Running | undefined;
after(async () => {
  await running?.stop();
  here.remove();
});

/** Everything that works for this data directory: PostgreSQL in it, processes with it in their environment. */
function processes(): { pid: number; argv: string[] }[] {
  return listProcesses().filter(({ pid, cwd, argv }) => {
    if (pid === process.pid || argv.some((word) => word.endsWith('.test.ts'))) return false;
    if (cwd.startsWith(here.dir)) return true;
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`CAUDAL_DATA_DIR=${here.dir}\0`);
    } catch {
      return false;
    }
  });
}

function pidOf(role: string): number {
  const found = processes().find(({ argv }) => argv.includes('--roles') && argv.includes(role));
  assert.ok(found, `no process of the role ${role}`);
  return found.pid;
}

async function ready(): Promise<void> {
  for (let tries = 0; tries < 600; tries += 1) {
    const answer = await fetch(`${here.admin().url}/readyz`).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok) return;
    await delay(50);
  }
  assert.fail('the gateway did not become ready again');
}

test('the first start makes an administrator and says how to get in', async () => {
  running = await here.up();
  const admin = here.admin();
  assert.equal(admin.username, 'operator');
  assert.equal(statSync(join(here.dir, 'admin.json')).mode & 0o777, 0o600);
  assert.match(running.printed(), /sign in +http:\S+\/auth\/link\/\S+ {2}\(works once\)/);
  assert.ok(!running.printed().includes(admin.password) && !running.printed().includes(admin.token));
  const login = await fetch(`${admin.url}/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: admin.email, password: admin.password }),
  });
  assert.equal(login.status, 200);
});

test('a second start on the same directory is refused and names the first', async () => {
  const second = await here.caudal('up');
  assert.equal(second.code, 1);
  assert.match(second.err, new RegExp(`already runs on ${here.dir}: pid ${running?.pid}`));
});

test('status, info and logs say what is', async () => {
  await ready();
  // Workers join when the gateway is ready.
  const roles = await eventually(async () => {
    const status = await here.caudal('status', '--json');
    const answer = JSON.parse(status.out) as { status: string; instances: { roles: string[] }[] };
    assert.equal(answer.status, 'ok');
    const found = answer.instances.flatMap((instance) => instance.roles).sort();
    return found.includes('worker') ? found : undefined;
  });
  assert.deepEqual(roles, ['api', 'telemetry', 'worker']);
  const info = JSON.parse((await here.caudal('info', '--json')).out) as Record<string, unknown>;
  assert.equal(info['url'], here.admin().url);
  assert.equal(info['running'], true);
  const logs = await here.caudal('logs', 'api', '--files', '--json');
  assert.ok(
    logs.out
      .split('\n')
      .filter(Boolean)
      .every((line) => typeof JSON.parse(line) === 'object'),
  );
  assert.ok(!logs.out.includes(here.admin().token));
});

test('a file goes in and a table comes out, by the command line alone', async () => {
  const file = join(here.dir, 'birds.csv');
  writeFileSync(file, 'name,wingspan_cm\n"Cóndor, andino",320\nColibrí,11\n');
  const uploaded = await here.caudal('upload', file, '--json');
  assert.equal(uploaded.code, 0, uploaded.err);
  const [loaded] = JSON.parse(uploaded.out) as { id: string; state: string; dataset: string; trace_id: string }[];
  assert.equal(loaded?.state, 'loaded');
  const rows = await here.caudal('rows', 'birds', '--json');
  assert.deepEqual((JSON.parse(rows.out) as { rows: unknown }).rows, [
    { name: 'Cóndor, andino', wingspan_cm: 320 },
    { name: 'Colibrí', wingspan_cm: 11 },
  ]);
  const sum = await here.caudal('sql', 'SELECT sum(wingspan_cm) AS cm FROM birds', '--format', 'csv');
  assert.equal(sum.out.trim().split(/\r?\n/).join('|'), 'cm|331');
  const refused = await here.caudal('sql', 'DROP TABLE birds');
  assert.equal(refused.code, 1);
});

test('no chore of the first round failed', () => {
  assert.doesNotMatch(running?.printed() ?? 'nothing runs', /upkeep of .* failed|nothing runs/);
});

test('whatever is killed comes back, and nothing is lost', { skip: !canSeeProcesses }, async () => {
  for (const role of ['worker', 'api', 'telemetry']) {
    const pid = pidOf(role);
    process.kill(pid, 'SIGKILL');
    await running?.says(new RegExp(`pid ${pid} was killed by SIGKILL[\\s\\S]*${role} +started`));
  }
  const postmaster = Number(readFileSync(join(here.dir, 'postgres/data/postmaster.pid'), 'utf8').split('\n')[0]);
  process.kill(postmaster, 'SIGKILL');
  await running?.says(/postgres +ended \(SIGKILL\)[\s\S]*postgres +started/);
  await ready();
  const rows = await here.caudal('sql', 'SELECT count(*) AS n FROM birds', '--json');
  assert.deepEqual((JSON.parse(rows.out) as { rows: unknown }).rows, [{ n: 2 }]);
});

test('when the supervisor is killed all its processes end, and the next start finds the data', {
  skip: !canSeeProcesses,
}, async () => {
  const before = processes().map(({ pid }) => pid);
  assert.ok(before.length >= 5);
  running?.child.kill('SIGKILL');
  await once(running?.child ?? process, 'close');
  running = await here.up();
  assert.deepEqual(await waitForEnd(before, 60_000), []);
  assert.doesNotMatch(running.printed(), /sign in/);
  const rows = await here.caudal('rows', 'birds', '--format', 'ndjson', '--select', 'name');
  assert.match(rows.out, /Colibrí/);
});

test('Ctrl-C stops everything, PostgreSQL included', async () => {
  assert.equal(await running?.stop(), 0);
  running = undefined;
  assert.deepEqual(processes(), []);
  assert.ok(!existsSync(join(here.dir, 'supervisor.lock')));
  const status = await here.caudal('status');
  assert.equal(status.code, 3);
});
