import { LATENCY, type MetricEntry } from '../metric-entry.ts';

/** The telemetry store and what watches over it. */
export const WATCHING = {
  'caudal.telemetry.items': {
    type: 'counter',
    unit: '{item}',
    description: 'Spans, log records and data points that came in, by outcome: accepted, refused',
    attributes: ['caudal.signal', 'caudal.outcome'],
  },
  'caudal.telemetry.exports.refused': {
    type: 'counter',
    unit: '{export}',
    description: 'Exports that were sent back, by the code of the answer',
    attributes: ['caudal.signal', 'error.type'],
  },
  'caudal.telemetry.buffered': {
    type: 'gauge',
    unit: 'By',
    description: 'Write-ahead files that are not yet in segments',
    attributes: [],
  },
  'caudal.telemetry.segments': {
    type: 'gauge',
    unit: '{segment}',
    description: 'Live segments of the telemetry store',
    attributes: ['caudal.signal'],
  },
  'caudal.telemetry.bytes': {
    type: 'gauge',
    unit: 'By',
    description: 'Bytes of live segments of the telemetry store',
    attributes: ['caudal.signal'],
  },
  'caudal.tail.records': {
    type: 'counter',
    unit: '{record}',
    description: 'Records of followed log files (CAUDAL_TAIL), by outcome: taken, refused',
    attributes: ['log.file.path', 'caudal.outcome'],
  },
  'caudal.tail.behind': {
    type: 'gauge',
    unit: 'By',
    description: 'Bytes of followed log files that are not read yet',
    attributes: ['log.file.path'],
  },
  'caudal.policies.evaluations': {
    type: 'counter',
    unit: '{evaluation}',
    description: 'Evaluations of policies, by outcome: evaluated, failed',
    attributes: ['caudal.outcome'],
  },
  'caudal.policies.duration': {
    type: 'histogram',
    unit: 's',
    description: 'How long one round over all policies took',
    attributes: [],
    bounds: LATENCY,
  },
  'caudal.notifications': {
    type: 'counter',
    unit: '{notification}',
    description: 'Mails, webhooks and pages by the kind of channel and outcome: sent, failed (and tried again)',
    attributes: ['caudal.channel.kind', 'caudal.outcome'],
  },
  'caudal.notifications.waiting': {
    type: 'gauge',
    unit: '{notification}',
    description: 'Notifications whose time has come and which could not be sent yet',
    attributes: [],
  },
  'caudal.uptime.checks': {
    type: 'counter',
    unit: '{check}',
    description: 'Uptime checks that were made, by outcome: up, down',
    attributes: ['caudal.check', 'caudal.outcome', 'caudal.workspace'],
  },
  'caudal.uptime.duration': {
    type: 'histogram',
    unit: 's',
    description: 'How long uptime checks took',
    attributes: ['caudal.check', 'caudal.workspace'],
    bounds: LATENCY,
  },
  'caudal.uptime.up': {
    type: 'gauge',
    unit: '{up}',
    description: "Whether the installation's own check was answered as expected (1) or not (0), last time",
    attributes: ['check', 'target'],
  },
  'caudal.uptime.latency': {
    type: 'gauge',
    unit: 's',
    description: 'How long that took',
    attributes: ['check', 'target'],
  },
  'caudal.uptime.certificate.days': {
    type: 'gauge',
    unit: '{day}',
    description: 'Days for which the certificate that it was shown is still valid',
    attributes: ['check', 'target'],
  },
  'caudal.slo.burn_rate': {
    type: 'gauge',
    unit: '{rate}',
    description: "How many times faster than even the budget of the installation's service level is spent, by window",
    attributes: ['slo', 'window'],
  },
  'caudal.slo.budget.left': {
    type: 'gauge',
    unit: '1',
    description: 'Share of that budget that is left over its whole window',
    attributes: ['slo'],
  },
  'caudal.accounting.unbalanced': {
    type: 'gauge',
    unit: '{dataset}',
    description: 'Datasets whose segments do not hold what their sources accepted',
    attributes: [],
  },
} as const satisfies Record<string, MetricEntry>;
