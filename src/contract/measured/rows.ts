import { LATENCY, type MetricEntry, PER_SECOND, WAITING } from '../metric-entry.ts';

/** What comes in and becomes rows. */
export const ROWS = {
  'caudal.uploads': {
    type: 'counter',
    unit: '{upload}',
    description: 'Uploads that were completed',
    attributes: ['caudal.workspace'],
  },
  'caudal.upload.bytes': {
    type: 'counter',
    unit: 'By',
    description: 'Bytes of completed uploads',
    attributes: ['caudal.workspace'],
  },
  'caudal.upload.queryable': {
    type: 'histogram',
    unit: 's',
    description: 'From the moment a load was asked for until its rows could be queried',
    attributes: ['caudal.workspace'],
    bounds: WAITING,
  },
  'caudal.load.rows': {
    type: 'counter',
    unit: '{row}',
    description: 'Rows of committed loads by what became of them: accepted, quarantined, duplicate',
    attributes: ['caudal.outcome', 'caudal.dataset', 'caudal.workspace'],
  },
  'caudal.rows.taken': {
    type: 'counter',
    unit: '{row}',
    description: 'Rows sent straight into a dataset and acknowledged, by whether their key was free: taken, duplicate',
    attributes: ['caudal.outcome', 'caudal.dataset', 'caudal.workspace'],
  },
  'caudal.load.throughput': {
    type: 'histogram',
    unit: '{row}/s',
    description: 'Rows a second of one load, from its start to its commit',
    attributes: ['caudal.workspace'],
    bounds: PER_SECOND,
  },
  'caudal.lake.segments': {
    type: 'gauge',
    unit: '{segment}',
    description: 'Live Parquet objects of all datasets',
    attributes: [],
  },
  'caudal.lake.bytes': {
    type: 'gauge',
    unit: 'By',
    description: 'Bytes of live Parquet objects of all datasets',
    attributes: [],
  },
  'caudal.lake.rows': {
    type: 'gauge',
    unit: '{row}',
    description: 'Rows of all datasets',
    attributes: [],
  },
  'caudal.events.published': {
    type: 'counter',
    unit: '{event}',
    description: 'Events that were acknowledged',
    attributes: ['caudal.workspace'],
  },
  'caudal.events.batches': {
    type: 'counter',
    unit: '{batch}',
    description: 'Requests that brought them',
    attributes: ['caudal.workspace'],
  },
  'caudal.events.rows': {
    type: 'counter',
    unit: '{row}',
    description: 'Drained events and direct rows by what became of them: accepted, quarantined',
    attributes: ['caudal.outcome', 'caudal.workspace'],
  },
  'caudal.events.queryable': {
    type: 'histogram',
    unit: 's',
    description: 'From the acknowledgement of a batch until its rows could be queried',
    attributes: ['caudal.workspace'],
    bounds: LATENCY,
  },
  'caudal.events.backlog': {
    type: 'gauge',
    unit: '{event}',
    description: 'Acknowledged events that are not in their datasets yet',
    attributes: [],
  },
  'caudal.events.oldest.age': {
    type: 'gauge',
    unit: 's',
    description: 'Age of the oldest of them',
    attributes: [],
  },
  'caudal.webhooks.attempts': {
    type: 'counter',
    unit: '{attempt}',
    description: 'Attempts to deliver events to webhooks by what came of it: delivered, waiting (tried again), dead',
    attributes: ['caudal.outcome', 'caudal.workspace'],
  },
} as const satisfies Record<string, MetricEntry>;
