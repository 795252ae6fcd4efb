import { type Static, Type } from 'typebox';

/**
 * How a process was lost: it ended by itself, a signal killed it, it was gone when its supervisor looked,
 * or its heartbeat stopped (frozen, cut off, or dead on a machine that nobody watches).
 */
export const DEATH_CAUSES = ['exited', 'killed', 'vanished', 'silent'] as const;
export type DeathCause = (typeof DEATH_CAUSES)[number];

/** A task that a process was running when it was lost, as kept with its death. */
export interface TaskAtDeath {
  task_id: string;
  workspace_id: string;
  kind: string;
  attempt: number;
  started_at: string;
}

const Nullable = Type.Union([Type.String(), Type.Null()]);

/** That task, and where it went: its state now and who has it. */
export const LostTask = Type.Object({
  task_id: Type.String(),
  kind: Type.String(),
  attempt: Type.Integer(),
  started_at: Type.String(),
  status: Type.Union([Type.String(), Type.Null()], { description: 'Now; null when the task is gone' }),
  instance_id: Type.Union([Type.String(), Type.Null()], { description: 'Who runs it, or ran it last' }),
  instance: Type.Union([Type.String(), Type.Null()], { description: 'Its name, or roles and pid' }),
});
export type LostTask = Static<typeof LostTask>;

export const Death = Type.Object({
  cause: Type.Enum(DEATH_CAUSES),
  exit_code: Type.Union([Type.Integer(), Type.Null()]),
  signal: Nullable,
  last_heartbeat_at: Type.String(),
  died_at: Type.String({ description: 'When it was noticed' }),
  noticed_by: Type.String(),
  tasks: Type.Array(LostTask, { description: "Of the caller's workspace; of all for the operator" }),
  tasks_lost: Type.Integer({ description: 'How many it was running, of any workspace' }),
  replaced_by: Type.Union([Type.String(), Type.Null()], {
    description: 'The instance that took its place, or itself when it came back',
  }),
  replaced_at: Nullable,
});
export type Death = Static<typeof Death>;

/** `dead` was lost (see `death`), `stopped` ended as it was told, `silent` has missed heartbeats for 15 s. */
export const INSTANCE_STATES = ['alive', 'silent', 'dead', 'stopped'] as const;

export const Instance = Type.Object({
  id: Type.String(),
  name: Type.Union([Type.String(), Type.Null()], { description: 'As its supervisor calls it' }),
  roles: Type.Array(Type.String()),
  host: Type.String(),
  pid: Type.Integer(),
  address: Nullable,
  version: Type.String(),
  state: Type.Enum(INSTANCE_STATES),
  load: Type.Record(Type.String(), Type.Unknown(), {
    description: 'What it does now: slots and busy ones by queue, cache, queries',
  }),
  started_at: Type.String(),
  heartbeat_at: Type.String(),
  death: Type.Union([Death, Type.Null()]),
});
export type Instance = Static<typeof Instance>;

/** What `caudal.worker.*` is computed from: the pool as the database sees it. */
export const Pool = Type.Object({
  size: Type.Integer({ description: 'Worker processes that live' }),
  target: Type.Integer({ description: 'As many as there should be' }),
  min: Type.Integer(),
  max: Type.Integer(),
  slots: Type.Integer({ description: 'Of all living workers' }),
  busy: Type.Integer(),
  queued: Type.Integer(),
  oldest_queued_seconds: Type.Number(),
  utilization: Type.Number({ description: 'Busy slots of the busiest queue, as a share' }),
  capacity: Type.Number({ description: '(busy + queued) / (max processes × slots)' }),
  decided_at: Nullable,
  reason: Nullable,
});
export type Pool = Static<typeof Pool>;
