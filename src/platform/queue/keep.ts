import type { Job, PgBoss } from 'pg-boss';
import { fail } from '#kernel/errors.ts';
import { type Db, rows, sql } from '#platform/db/db.ts';
import type { Logger } from '#platform/observe/log.ts';
import { untraced } from '#platform/observe/tracing.ts';
import type { Started } from './claim.ts';
import type { Delivery, QueueName } from './queue.ts';
import { Fenced } from './task.ts';

/** A task under way in this process. */
export interface Held {
  queue: QueueName;
  job: Job<Delivery>;
  task: Started;
  controller: AbortController;
}

const TOUCH_EVERY_MS = 1_000;
const LOOK_EVERY_MS = 300;

/**
 * For all tasks of this process together: tells pg-boss every second that they live (it gives away what was silent for
 * ten), and aborts those that were asked to cancel, or taken over by another run, within half a second.
 */
export function keepHeld(
  { db, boss, log }: { db: Db; boss: PgBoss; log: Logger },
  held: ReadonlyMap<string, Held>,
): { stop(): void } {
  const touch = async (): Promise<void> => {
    for (const [queue, all] of Map.groupBy(held.values(), (each) => each.queue)) {
      await boss.touch(
        queue,
        all.map(({ job }) => job),
      );
    }
  };
  const look = async (): Promise<void> => {
    const ids = [...held.keys()];
    const found = await rows(
      db,
      sql<{ id: string; fence: number; status: string; cancel_requested_at: Date | null }>`
        SELECT id, fence, status, cancel_requested_at FROM tasks WHERE id = ANY(${ids}::uuid[])`,
    );
    for (const { id, fence, status, cancel_requested_at } of found) {
      const one = held.get(id);
      if (!one) continue;
      if (cancel_requested_at) one.controller.abort(fail('task_cancelled', 'The task was cancelled.'));
      else if (fence !== one.task.fence || status !== 'running') one.controller.abort(new Fenced(id));
    }
  };
  const timers = [repeat(touch, TOUCH_EVERY_MS), repeat(look, LOOK_EVERY_MS)];
  return {
    stop() {
      for (const timer of timers) timer.stop();
    },
  };

  /** One at a time; a look that fails says nothing about the work. */
  function repeat(work: () => Promise<void>, every: number): { stop(): void } {
    let stopped = false;
    const round = async (): Promise<void> => {
      if (held.size > 0) {
        await untraced(work).catch((error) => log.debug({ err: error }, 'queue: the database is away, trying again'));
      }
      if (!stopped) timer = setTimeout(round, every);
    };
    let timer = setTimeout(round, every);
    return {
      stop() {
        stopped = true;
        clearTimeout(timer);
      },
    };
  }
}
