import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Monitor, missingMonitor, startMonitor } from '../support/prometheus.ts';
import { smtpServer } from '../support/smtp.ts';
import { killHard, SOAK, startCaudal, until } from './caudal.ts';
import { createClient } from './client.ts';

const smtp = await smtpServer();
const caudal = await startCaudal({
  CAUDAL_SMTP_URL: smtp.url,
  CAUDAL_OPERATOR_MAIL: 'ops@example.org',
  CAUDAL_API_INSTANCES: '2',
});
const client = createClient(caudal.url, caudal.admin.token);

const DOWN = /^\[Caudal\] Instance down/;
const BACK = /^\[Caudal\] Instance recovered/;
const subjects = (): string[] => smtp.mails.map(({ subject }) => subject ?? '');
const mailAbout = (kind: RegExp, name: RegExp) =>
  until(`a mail ${kind.source} ${name.source}`, () =>
    smtp.mails.find(({ subject = '' }) => kind.test(subject) && name.test(subject)),
  );

/** What a client asks for while a gateway dies is answered by the other, or asked again. */
const incidents = async () => (await client.get('/incidents?limit=20')).items;

/** One that has not yet given its first sign of life is not missed. */
const everybodyLives = () =>
  until('four living processes', async () => {
    const { items } = await client.get('/instances');
    return items.filter(({ state }: { state: string }) => state === 'alive').length === 4 || undefined;
  });

/** Where Alertmanager sends its mails. */
const outside = await smtpServer();
const needsMonitor = { skip: missingMonitor && `no ${missingMonitor}: install Debian's packages` };
const monitor = missingMonitor ? undefined : await watchFromOutside();
const killed: { id: string; service: string }[] = [];

async function watchFromOutside(): Promise<Monitor> {
  await everybodyLives();
  const exported = async (...more: string[]) =>
    (await caudal.command(['policies', 'export', ...more], { expect: 0 })).stdout;
  const [rules, alertmanager] = await Promise.all([exported(), exported('--format', 'alertmanager')]);
  return startMonitor({
    directory: join(caudal.directory, 'monitor'),
    gateway: new URL(caudal.url).host,
    rules,
    alertmanager,
    smtp: new URL(outside.url).host,
  });
}

test('Prometheus and the blackbox exporter see every process', needsMonitor, async () => {
  for (const series of ['up{job="caudal"}', 'probe_success{job="caudal-alive"}']) {
    await until(`${series} of four`, async () => ((await monitor?.ask(`sum(${series})`)) === 4 ? true : undefined));
  }
});

test('a gateway and the process that evaluates are killed: one mail each that it is down, one that it is back', async (t) => {
  await everybodyLives();
  const { items: before } = await client.get('/instances');
  const began = performance.now();
  for (const role of ['telemetry', 'api'] as const) {
    const pid = await caudal.pid(role);
    killed.push({
      id: before.find((instance: { pid: number }) => instance.pid === pid).id,
      service: `caudal-${role}`,
    });
    await killHard(pid);
  }
  const down = await mailAbout(DOWN, /api-\d/);
  await mailAbout(DOWN, /telemetry/);
  const seconds = (performance.now() - began) / 1000;
  t.diagnostic(`both mails after ${seconds.toFixed(1)} s`);
  // The promise is 30 s; another test may have this machine busy.
  assert.ok(seconds < (SOAK ? 30 : 120), `${seconds} s`);
  const back = await mailAbout(BACK, /api-\d/);
  await mailAbout(BACK, /telemetry/);
  assert.equal(subjects().length, 4, subjects().join('\n'));
  assert.deepEqual(
    down.to?.map(({ address }) => address),
    ['ops@example.org'],
  );
  for (const part of [down.text ?? '', down.html ?? '']) {
    assert.match(part, /killed/);
    assert.match(part, /no work was interrupted/);
    assert.match(part, /listening/, 'its last log lines');
  }
  assert.match(back.text ?? '', /was away for/);
  const [incident] = await incidents();
  assert.equal(incident.state, 'resolved');
  const { events } = await client.get(`/incidents/${incident.id}`);
  const kinds: string[] = events.map((event: { kind: string }) => event.kind);
  assert.equal(kinds.filter((kind) => kind === 'told').length, 2);
  assert.deepEqual([kinds[0], kinds.includes('resolved')], ['opened', true]);
});

test(
  'the same deaths through Prometheus, Alertmanager and the blackbox exporter: one mail each',
  needsMonitor,
  async () => {
    for (const { id, service } of killed) {
      const about = () =>
        outside.mails.filter(
          ({ subject = '', html = '' }) => /FIRING.*Instance down/.test(subject) && html.includes(id),
        );
      const [mail] = await until(`a mail about ${service}`, () => (about().length > 0 ? about() : undefined));
      assert.equal(about().length, 1);
      assert.match(mail?.html ?? '', new RegExp(service));
      assert.match(mail?.html ?? '', /has not given a sign of life/);
      assert.match(mail?.html ?? '', /caudal-alive/, 'the blackbox exporter saw it too');
    }
  },
);

test('the mail server is away for a while: the mails come after, once', async () => {
  await everybodyLives();
  await smtp.stop();
  await killHard(await caudal.pid('worker'));
  const incident = await until('the incident', async () =>
    (await incidents()).find(({ title }: { title: string }) => /^worker/.test(title)),
  );
  await until('an attempt to tell', async () => {
    const { items } = await client.get('/incidents?state=resolved');
    return items.find(({ id }: { id: string }) => id === incident.id);
  });
  assert.equal(subjects().length, 4);
  await smtp.start();
  await mailAbout(DOWN, /worker/);
  await mailAbout(BACK, /worker/);
  assert.equal(subjects().length, 6, subjects().join('\n'));
});

test('a channel can be tried, and mails of accounts go the same way', async () => {
  const made = await client.call('POST', '/channels', {
    body: { name: 'Guardia', kind: 'email', email: { to: ['guardia@example.org'], language: 'es' } },
  });
  assert.equal(made.status, 201, made.text);
  const tried = await client.call('POST', `/channels/${made.body.id}/test`);
  assert.deepEqual(tried.body, { delivered: true, error: null });
  assert.equal(smtp.mails.at(-1)?.subject, '[Caudal] Prueba: Este canal funciona');

  const { email } = caudal.admin;
  const asked = await client.call('POST', '/auth/password/reset', { body: { email }, token: null });
  assert.equal(asked.status, 202, asked.text);
  const reset = await until('the reset mail', () =>
    smtp.mails.find(({ subject }) => /new password/.test(subject ?? '')),
  );
  assert.match(reset.text ?? '', /reset-password#/);
  assert.deepEqual(
    reset.to?.map(({ address }) => address),
    [email],
  );
});
