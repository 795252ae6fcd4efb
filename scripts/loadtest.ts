/**
 * `make loadtest`: each kind of request of scripts/loadtest/plan.ts for a few seconds, one after the other.
 *
 *   node scripts/loadtest.ts [--duration 5] [--connections 10] [--out .tmp/loadtest]
 *
 * Against a private installation, or against the one that CAUDAL_URL (loopback only) and CAUDAL_TOKEN name; its workspace then
 * needs a dataset `loadtest` with a column `id`. Bounded in time, connections and requests.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import autocannon, { type Result } from 'autocannon';
import { installation } from '../test/support/caudal.ts';
import { BOUNDS, DATASET, filled, type LoadStep, onlyLoopback, PLAN } from './loadtest/plan.ts';
import { loadReport, type StepResult } from './loadtest/report.ts';

interface Target {
  url: string;
  token: string;
  stop(): Promise<void>;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      duration: { type: 'string', default: '5' },
      connections: { type: 'string', default: '10' },
      out: { type: 'string', default: '.tmp/loadtest' },
    },
  });
  const duration = bounded('--duration', values.duration, BOUNDS.duration_s);
  const connections = bounded('--connections', values.connections, BOUNDS.connections);
  const target = process.env['CAUDAL_URL'] ? named() : await privateOne();
  try {
    const steps: StepResult[] = [];
    for (const step of PLAN) {
      process.stdout.write(`→ ${step.name}\n`);
      steps.push(await run(step, target, duration, connections));
    }
    const machine = `${new Date().toISOString().slice(0, 10)}, ${availableParallelism()} cores, Node ${process.version}`;
    const about = `${connections} connections, ${duration} s for each request, generator and Caudal on one machine; ${machine}.`;
    const report = loadReport(steps, about);
    const out = resolve(values.out);
    mkdirSync(out, { recursive: true });
    for (const [name, text] of [
      ['report.md', report.markdown],
      ['report.html', report.html],
      ['report.svg', report.svg],
    ]) {
      writeFileSync(join(out, name as string), text as string);
    }
    process.stdout.write(`\n${report.markdown}\nwritten: ${join(out, 'report.html')}\n`);
    return steps.some(({ failed, requests }) => failed > 0 || requests === 0) ? 1 : 0;
  } finally {
    await target.stop();
  }
}

function bounded(name: string, text: string, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new Error(`${name} must be a whole number from 1 to ${most}.`);
}

function named(): Target {
  const url = onlyLoopback(process.env['CAUDAL_URL'] ?? '').origin;
  return { url, token: process.env['CAUDAL_TOKEN'] ?? '', stop: async () => undefined };
}

/** A Caudal of its own with a thousand rows, gone afterwards. */
async function privateOne(): Promise<Target> {
  const here = installation({ DATABASE_URL: '', CAUDAL_RATE_LIMIT_WORKSPACE: '1000000/s', CAUDAL_LOG_LEVEL: 'warn' });
  const running = await here.up().catch((error: unknown) => {
    here.remove();
    throw error;
  });
  const stop = async (): Promise<void> => {
    await running.stop();
    here.remove();
  };
  const csv = join(here.dir, `${DATASET}.csv`);
  const rows = Array.from({ length: 1_000 }, (_, id) => `${id},row ${id},${(id * 7) % 101}`);
  writeFileSync(csv, `id,name,amount\n${rows.join('\n')}\n`);
  const loaded = await here.caudal('upload', csv);
  if (loaded.code !== 0) {
    await stop();
    throw new Error(`the rows could not be loaded: ${loaded.err || loaded.out}`);
  }
  const { url, token } = here.admin();
  return { url: onlyLoopback(url).origin, token, stop };
}

async function run(step: LoadStep, target: Target, duration: number, connections: number): Promise<StepResult> {
  const { path, body } = filled(step, DATASET);
  const headers = {
    authorization: `Bearer ${target.token}`,
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  };
  const result = await autocannon({
    url: `${target.url}${path}`,
    method: step.method,
    headers,
    ...(body === undefined ? {} : { body }),
    connections,
    duration,
    // autocannon ends at whichever comes first.
    maxOverallRequests: BOUNDS.requests,
    timeout: 30,
  });
  return toStep(step, result);
}

function toStep({ name, method, path, status }: LoadStep, result: Result): StepResult {
  const { latency, requests, errors, timeouts } = result;
  const stats = (result.statusCodeStats ?? {}) as Record<string, { count: number }>;
  const count = (code: number): number => stats[String(code)]?.count ?? 0;
  const answered = Object.values(stats).reduce((sum, each) => sum + each.count, 0);
  const limited = count(429);
  return {
    name,
    call: `${method} ${path}`,
    requests: answered,
    per_second: requests.average,
    p50: latency.p50,
    p90: latency.p90,
    p975: latency.p97_5,
    p99: latency.p99,
    max: latency.max,
    limited,
    failed: answered - count(status) - limited + errors + timeouts,
  };
}

process.exitCode = await main();
