import { type Static, Type } from 'typebox';
import type { VideoInput } from './video.ts';

export const TASK_STATUSES = ['queued', 'running', 'succeeded', 'failed', 'cancelled'] as const;
export type TaskStatus = (typeof TASK_STATUSES)[number];

/**
 * What may happen to a task: total over status × event. What is not in the table cannot happen.
 * `requeue` is the death of a worker: not the task's fault, so it costs no attempt.
 */
export const TASK_TRANSITIONS: Record<TaskStatus, Partial<Record<TaskEvent, TaskStatus>>> = {
  queued: { start: 'running', cancel: 'cancelled', fail: 'failed' },
  running: { start: 'running', requeue: 'queued', succeed: 'succeeded', fail: 'failed', cancel: 'cancelled' },
  succeeded: {},
  failed: {},
  cancelled: {},
};
export const TASK_EVENTS = ['start', 'requeue', 'succeed', 'fail', 'cancel'] as const;
export type TaskEvent = (typeof TASK_EVENTS)[number];

export function nextStatus(from: TaskStatus, event: TaskEvent): TaskStatus | undefined {
  return TASK_TRANSITIONS[from][event];
}

export const TASK_KINDS = ['load', 'replay', 'replay_events', 'compact', 'delete_file', 'report', 'video'] as const;
export type TaskKind = (typeof TASK_KINDS)[number];

/** Input of each kind; the producer needs this, the handler is loaded by workers only. */
export const LoadInput = Type.Object({
  file_id: Type.String(),
  /** Absent: a dataset named after the file. */
  dataset: Type.Optional(Type.String()),
  mode: Type.Optional(Type.Enum(['append', 'replace'])),
  /** ReaderOptions; validated when the request was made. */
  options: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  /** Where the bytes come from first, for a load from a URL. */
  url: Type.Optional(Type.String()),
});
export type LoadInput = Static<typeof LoadInput>;

export const ReplayInput = Type.Object({
  dataset_id: Type.String(),
  /** Null: all that is open. */
  ids: Type.Union([Type.Array(Type.String()), Type.Null()]),
  fix: Type.Optional(Type.Record(Type.String(), Type.String())),
  types: Type.Optional(Type.Record(Type.String(), Type.String())),
});
export type ReplayInput = Static<typeof ReplayInput>;

export const CompactInput = Type.Object({ dataset_id: Type.String() });
export type CompactInput = Static<typeof CompactInput>;

export const DeleteFileInput = Type.Object({ file_id: Type.String() });
export type DeleteFileInput = Static<typeof DeleteFileInput>;

export const ReplayEventsInput = Type.Object({
  subscription_id: Type.String(),
  /** Offset of the first event that is brought again. */
  first_offset: Type.Integer(),
});
export type ReplayEventsInput = Static<typeof ReplayEventsInput>;

export const ReportInput = Type.Object({
  dataset: Type.String(),
  version: Type.Integer(),
  /** The query string's parameters; validated when the request was made. */
  query: Type.Record(Type.String(), Type.Unknown()),
  /** Path and query string, as they are shown. */
  url: Type.String(),
});
export type ReportInput = Static<typeof ReportInput>;

export interface TaskInputs {
  load: LoadInput;
  replay: ReplayInput;
  compact: CompactInput;
  delete_file: DeleteFileInput;
  replay_events: ReplayEventsInput;
  report: ReportInput;
  video: VideoInput;
}

/** What a task has done so far: a load counts bytes of the file and rows, a video seconds of the clips. */
export const TaskDetail = Type.Object({
  bytes: Type.Optional(Type.Integer()),
  total_bytes: Type.Optional(Type.Integer()),
  rows: Type.Optional(Type.Integer()),
  step: Type.Optional(Type.String()),
  seconds: Type.Optional(Type.Number()),
  total_seconds: Type.Optional(Type.Number()),
  speed: Type.Optional(Type.Number({ description: 'Seconds of video per second' })),
});
export type TaskDetail = Static<typeof TaskDetail>;

export const Task = Type.Object({
  id: Type.String(),
  task_id: Type.String({ description: 'The same as id' }),
  kind: Type.String(),
  status: Type.Enum(TASK_STATUSES),
  progress: Type.Number({ minimum: 0, maximum: 100 }),
  detail: Type.Optional(TaskDetail),
  attempt: Type.Integer(),
  input: Type.Record(Type.String(), Type.Unknown()),
  output: Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]),
  error: Type.Optional(
    Type.Object({ code: Type.String(), message: Type.String(), hint: Type.Optional(Type.String()) }),
  ),
  retry_of: Type.Optional(Type.String()),
  created_at: Type.String(),
  started_at: Type.Union([Type.String(), Type.Null()]),
  finished_at: Type.Union([Type.String(), Type.Null()]),
  trace_id: Type.Union([Type.String(), Type.Null()]),
});
export type Task = Static<typeof Task>;
