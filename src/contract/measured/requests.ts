import { LATENCY, type MetricEntry, WAITING } from '../metric-entry.ts';

/** What is asked of Caudal and what it answers. */
export const REQUESTS = {
  'http.server.request.duration': {
    type: 'histogram',
    unit: 's',
    description: 'HTTP requests that were answered; event streams are not counted',
    attributes: ['http.request.method', 'http.route', 'http.response.status_code', 'error.type'],
    bounds: LATENCY,
  },
  'caudal.forms.submitted': {
    type: 'counter',
    unit: '{form}',
    description: 'Forms that were sent, by outcome: accepted, refused (a field is wrong), or the code of the error',
    attributes: ['caudal.outcome', 'caudal.workspace'],
  },
  'caudal.photos': {
    type: 'counter',
    unit: '{photo}',
    description: 'Photos that came with a row, by outcome: stored, or the code of the refusal',
    attributes: ['caudal.outcome', 'caudal.workspace'],
  },
  'http.client.request.duration': {
    type: 'histogram',
    unit: 's',
    description: 'Requests that Caudal makes itself; measured by the instrumentation of undici',
    attributes: [
      'http.request.method',
      'http.response.status_code',
      'server.address',
      'server.port',
      'url.scheme',
      'network.protocol.version',
      'error.type',
    ],
    bounds: LATENCY,
  },
  'caudal.query.duration': {
    type: 'histogram',
    unit: 's',
    description: 'Queries that were not answered from the cache, by kind: rows, sql',
    attributes: ['caudal.query.kind', 'caudal.workspace'],
    bounds: LATENCY,
  },
  'caudal.report.duration': {
    type: 'histogram',
    unit: 's',
    description: 'Reports from their question to the last byte of the workbook',
    attributes: ['caudal.workspace'],
    bounds: WAITING,
  },
  'caudal.report.rows': {
    type: 'counter',
    unit: '{row}',
    description: 'Rows written into workbooks of reports',
    attributes: ['caudal.workspace'],
  },
  'caudal.cache.requests': {
    type: 'counter',
    unit: '{request}',
    description: 'Look-ups in the cache of answers, by outcome: hit, miss',
    attributes: ['caudal.outcome'],
  },
  'caudal.cache.bytes': {
    type: 'gauge',
    unit: 'By',
    description: 'Memory of cached answers',
    attributes: [],
  },
  'caudal.sql.busy': {
    type: 'gauge',
    unit: '{query}',
    description: 'SQL queries of users that run in their sandbox',
    attributes: [],
  },
  'caudal.sql.queued': {
    type: 'gauge',
    unit: '{query}',
    description: 'SQL queries of users that wait for a sandbox',
    attributes: [],
  },
  'caudal.http.throughput': {
    type: 'gauge',
    unit: '{request}/s',
    description: 'Requests a second of this gateway since the last look',
    attributes: [],
  },
} as const satisfies Record<string, MetricEntry>;
