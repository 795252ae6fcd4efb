import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { openDatabase } from '../../src/platform/db/db.ts';
import { startPostgres } from '../../src/platform/db/embedded/postgres.ts';
import { migrate, readMigrations } from '../../src/platform/db/migrate.ts';
import { migrateQueue } from '../../src/platform/queue/queue.ts';
import { startChild } from '../harness/child.ts';
import type { Row } from '../harness/row.ts';
import { milliseconds, times } from '../harness/show.ts';
import { alternate, median, quantile } from '../harness/statistics.ts';
import type { TaskTimes, TaskWork } from '../harness/tasks.child.ts';

const SLOTS = 8;
const CHILD = new URL('../harness/tasks.child.ts', import.meta.url);

/** No-op tasks through the queue, and the time from enqueue to start, against pg-boss alone on the same PostgreSQL. */
export const tasks: Row = async (bench) => {
  const dir = mkdtempSync(join(tmpdir(), 'caudal-bench-tasks-'));
  chmodSync(dir, 0o711);
  const postgres = await startPostgres({ dir: join(dir, 'postgres'), log: pino({ level: 'silent' }) });
  try {
    await prepare(postgres.url);
    const size = bench.quick ? { backlog: 300, single: 60 } : { backlog: 2_000, single: 200 };
    const run = (side: TaskWork['side']) => () => measured({ side, url: postgres.url, slots: SLOTS, ...size });
    const { ours, theirs } = await alternate({ rounds: bench.rounds }, run('caudal'), run('library'));
    const perSecond = (rounds: TaskTimes[]) =>
      size.backlog / (median(rounds.map(({ backlog_ms }) => backlog_ms)) / 1000);
    const starts = (rounds: TaskTimes[]) => rounds.flatMap(({ start_ms }) => start_ms);
    const latency = (rounds: TaskTimes[]) =>
      `p50 ${milliseconds(median(starts(rounds)))}, p99 ${milliseconds(quantile(starts(rounds), 0.99))}`;
    const ratio = perSecond(ours) / perSecond(theirs);
    return [
      {
        row: 18,
        work: `${size.backlog} no-op tasks, ${SLOTS} slots`,
        caudal: `${Math.round(perSecond(ours))} tasks/s`,
        reference: `pg-boss ${Math.round(perSecond(theirs))} jobs/s`,
        ratio: times(ratio),
        mark: '≥ 0.8 ×',
        held: ratio >= 0.8,
      },
      {
        row: 18,
        work: `enqueue → start, ${size.single} one by one`,
        caudal: latency(ours),
        reference: `pg-boss ${latency(theirs)}`,
        ratio: times(median(starts(ours)) / median(starts(theirs))),
        mark: 'p99 ≤ 50 ms',
        held: quantile(starts(ours), 0.99) <= 50,
      },
    ];
  } finally {
    await postgres.stop();
    rmSync(dir, { recursive: true, force: true });
  }
};

async function prepare(url: string): Promise<void> {
  const { pool, close } = openDatabase({ url, applicationName: 'bench', onError: () => undefined });
  await migrate(pool, await readMigrations(join(import.meta.dirname, '../../migrations')));
  await migrateQueue(url);
  await close();
}

async function measured(work: TaskWork): Promise<TaskTimes> {
  const child = startChild<TaskWork, TaskTimes>(CHILD);
  try {
    return await child.ask(work);
  } finally {
    await child.stop();
  }
}
