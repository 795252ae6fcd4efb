import { type MetricEntry, WAITING } from '../metric-entry.ts';

/** Tasks and the processes that run them. */
export const WORK = {
  'caudal.video.realtime_factor': {
    type: 'histogram',
    unit: '1',
    description: 'Seconds of video encoded per second, of each video',
    attributes: [],
    bounds: [0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 20],
  },
  'caudal.video.seconds': {
    type: 'histogram',
    unit: 's',
    description: 'Content of the videos that were processed',
    attributes: [],
    bounds: [1, 5, 20, 60, 300, 900, 1800, 3600],
  },
  'caudal.task.wait': {
    type: 'histogram',
    unit: 's',
    description: 'How long tasks waited in their queue before their first run',
    attributes: ['caudal.task.kind'],
    bounds: WAITING,
  },
  'caudal.task.duration': {
    type: 'histogram',
    unit: 's',
    description: 'How long runs of tasks took, by how they ended: succeeded, failed, cancelled, again, lost',
    attributes: ['caudal.task.kind', 'caudal.outcome'],
    bounds: WAITING,
  },
  'caudal.worker.slots.total': {
    type: 'gauge',
    unit: '{task}',
    description: 'Tasks that this worker can run at a time, by queue',
    attributes: ['caudal.queue'],
  },
  'caudal.worker.slots.busy': {
    type: 'gauge',
    unit: '{task}',
    description: 'Tasks that this worker runs now, by queue',
    attributes: ['caudal.queue'],
  },
  'caudal.worker.utilization': {
    type: 'gauge',
    unit: '1',
    description: "Busy slots over all slots of this worker's busiest queue (of those for which the pool grows)",
    attributes: [],
  },
  'caudal.worker.capacity': {
    type: 'gauge',
    unit: '1',
    description: '(busy + queued) / (most processes × slots) of the busiest queue of the whole pool, also when idle',
    attributes: [],
  },
  'caudal.worker.pool.size': {
    type: 'gauge',
    unit: '{process}',
    description: 'Worker processes that are alive',
    attributes: [],
  },
  'caudal.worker.pool.target': {
    type: 'gauge',
    unit: '{process}',
    description: 'Worker processes that there should be, as the pool decided last',
    attributes: [],
  },
  'caudal.worker.pool.limit': {
    type: 'gauge',
    unit: '{process}',
    description: 'Worker processes that the pool may grow to',
    attributes: [],
  },
  'caudal.worker.pool.utilization': {
    type: 'gauge',
    unit: '1',
    description: "Busy slots over all slots of the pool's busiest queue",
    attributes: [],
  },
  'caudal.queue.depth': {
    type: 'gauge',
    unit: '{task}',
    description: 'Tasks that wait, by kind',
    attributes: ['caudal.task.kind'],
  },
  'caudal.queue.oldest.age': {
    type: 'gauge',
    unit: 's',
    description: 'Age of the task that has waited longest, by kind',
    attributes: ['caudal.task.kind'],
  },
  'caudal.instances': {
    type: 'gauge',
    unit: '{process}',
    description: 'Processes of the installation by role and state: alive, silent (no heartbeat for 15 s)',
    attributes: ['caudal.role', 'caudal.state'],
  },
} as const satisfies Record<string, MetricEntry>;
