import { migrateQueue } from '../../src/platform/queue/queue.ts';
import { startChild } from '../harness/child.ts';
import { withPostgres } from '../harness/postgres.ts';
import type { Row } from '../harness/row.ts';
import { milliseconds, times } from '../harness/show.ts';
import { alternate, median, quantile } from '../harness/statistics.ts';
import type { TaskTimes, TaskWork } from '../harness/tasks.child.ts';

const SLOTS = 8;
const CHILD = new URL('../harness/tasks.child.ts', import.meta.url);

/** No-op tasks through the queue, and the time from enqueue to start, against pg-boss alone on the same PostgreSQL. */
export const tasks: Row = async (bench) => {
  return withPostgres('tasks', async (url) => {
    await migrateQueue(url);
    const size = bench.quick ? { backlog: 300, single: 60 } : { backlog: 2_000, single: 200 };
    const run = (side: TaskWork['side']) => () => measured({ side, url, slots: SLOTS, ...size });
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
  });
};

async function measured(work: TaskWork): Promise<TaskTimes> {
  const child = startChild<TaskWork, TaskTimes>(CHILD);
  try {
    return await child.ask(work);
  } finally {
    await child.stop();
  }
}
