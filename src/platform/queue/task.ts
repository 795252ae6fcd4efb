import type { Carrier } from '#contract/carrier.ts';
import type { TaskDetail, TaskInputs, TaskKind } from '#contract/tasks.ts';
import type { Tx } from '#platform/db/db.ts';
import type { Logger } from '#platform/observe/log.ts';

/** What a handler gets for one run of a task. */
export interface TaskContext<K extends TaskKind> {
  task: {
    id: string;
    kind: K;
    workspace_id: string;
    input: TaskInputs[K];
    /** 1 for the first run that counts. */
    attempt: number;
    carrier: Carrier | null;
    created_by: string | null;
  };
  /** Since the task was asked for, on the database's clock. */
  age_ms(): number;
  log: Logger;
  /** Aborts when the task is cancelled, the process drains past its limit, or another run took over. */
  signal: AbortSignal;
  /** 0–100, and what was done so far; cheap to call often: it is written at most every 250 ms. */
  progress(percent: number, detail?: TaskDetail): void;
  /**
   * To be called inside the transaction that commits the work: locks the task row, checks that
   * this run still holds the fence and that no cancel came first, marks it succeeded and completes
   * the job, all or nothing. @throws task_cancelled, or Fenced when another run took over.
   */
  succeed(tx: Tx, output: Record<string, unknown>): Promise<void>;
}

/**
 * A handler returns after `succeed`; when it throws, a CaudalError below 500 fails the task at once
 * (bad input), anything else is retried up to five times.
 */
export type TaskHandler<K extends TaskKind> = (context: TaskContext<K>) => Promise<void>;

/** What a feature offers a worker: its handler, and how it puts things right when a task ends without success. */
export interface TaskDefinition<K extends TaskKind> {
  kind: K;
  handle: TaskHandler<K>;
  /** In the transaction that marks the task failed or cancelled, so that e.g. the file's state changes with it. */
  ended?(tx: Tx, task: TaskContext<K>['task'], how: 'failed' | 'cancelled', error: unknown): Promise<void>;
}

/** Another run of the task has taken over: this one must leave no trace. */
export class Fenced extends Error {
  constructor(taskId: string) {
    super(`task ${taskId} is being run by another worker`);
    this.name = 'Fenced';
  }
}
