import type { Condition, Notify, Severity } from '#contract/policies.ts';

export interface BuiltinPolicy {
  name: string;
  summary: string;
  runbook: string;
  severity: Severity;
  condition: Condition;
  for?: string;
  keep_firing_for?: string;
  notify?: Notify;
}

const above = (metric: string, threshold: number, rest: Partial<Extract<Condition, { kind: 'threshold' }>> = {}) =>
  ({ kind: 'threshold', metric, comparison: '>', threshold, ...rest }) as const satisfies Condition;
const expression = (text: string) => ({ kind: 'expression', expression: text }) as const satisfies Condition;

/** The long window says that it matters, the short one that it still goes on (Google SRE workbook, chapter 5). */
const burns = (long: string, short: string, rate: number) =>
  `max by (slo) (caudal_slo_burn_rate{window="${long}"}) > ${rate} and max by (slo) (caudal_slo_burn_rate{window="${short}"}) > ${rate}`;

const AVERAGE = { aggregate: { function: 'avg' } } as const;
const PER_INSTANCE = { group_by: ['instance'] };

/**
 * What Caudal watches from its first start, for the operator: made once per installation, editable, never put back
 * once edited. The key is what a later version knows it by.
 */
export const BUILTIN_POLICIES = {
  'pool-busy': {
    name: 'Worker pool busy',
    summary: 'More than 75 % of the worker slots have been busy for five minutes.',
    runbook: 'Look at `caudal tasks --status running`. Raise CAUDAL_WORKERS_MAX when it lasts.',
    severity: 'ticket',
    condition: above('caudal_worker_utilization_ratio', 0.75, AVERAGE),
    for: '5m',
  },
  'pool-full': {
    name: 'Worker pool full',
    summary: 'More than 90 % of the worker slots have been busy for half an hour: new tasks wait.',
    runbook: 'Raise CAUDAL_WORKERS_MAX or CAUDAL_WORKER_SLOTS, or add a machine; `caudal tasks` shows who fills it.',
    severity: 'page',
    condition: above('caudal_worker_utilization_ratio', 0.9, AVERAGE),
    for: '30m',
  },
  'capacity-high': {
    name: 'Serving capacity used',
    summary: 'Busy and queued tasks are more than 75 % of what the largest pool can serve, for five minutes.',
    runbook: 'The pool will soon be at its maximum. Raise CAUDAL_WORKERS_MAX, or find out who sends so much.',
    severity: 'ticket',
    condition: above('caudal_worker_capacity_ratio', 0.75, { aggregate: { function: 'max' } }),
    for: '5m',
  },
  'capacity-absent': {
    name: 'Serving capacity unknown',
    summary: 'Nothing has reported the capacity of the worker pool for an hour.',
    runbook: 'No gateway reports, or the telemetry role is away: `caudal status`, then `caudal logs telemetry`.',
    severity: 'page',
    condition: { kind: 'absence', metric: 'caudal_worker_capacity_ratio', by: [], for: '1h' },
  },
  'pool-large': {
    name: 'Worker pool large',
    summary: 'More than four workers at some moment within the last hour.',
    runbook: 'Nothing is broken: it costs. Lower CAUDAL_WORKERS_MAX, or raise this threshold.',
    severity: 'info',
    condition: above('caudal_worker_pool_size', 4, {
      over: { function: 'max_over_time', window: '1h' },
      aggregate: { function: 'max' },
    }),
  },
  'instance-down': {
    name: 'Instance down',
    summary: 'A process died or has not given a sign of life for 15 seconds.',
    runbook: 'A supervisor starts it again by itself. When it dies again and again: `caudal logs`.',
    severity: 'page',
    condition: { kind: 'instance_down' },
    notify: { group_by: ['instance'], group_wait: '5s', briefly: 'tell' },
  },
  'uptime-failing': {
    name: 'Uptime check failing',
    summary: 'A check has failed for a minute and a half.',
    runbook: '`caudal uptime` shows what the checks got. Is it the service, its network, or its certificate?',
    severity: 'page',
    condition: expression('max by (check) (caudal_uptime_up) == 0'),
    for: '90s',
    notify: { group_by: ['check'] },
  },
  'certificate-expiry': {
    name: 'Certificate expires',
    summary: 'The certificate of a checked site is valid for less than 14 days more.',
    runbook: 'Renew it, or look why its renewal does not run.',
    severity: 'ticket',
    condition: expression('min by (check) (caudal_uptime_certificate_days) < 14'),
    notify: { group_by: ['check'], repeat_interval: '1d' },
  },
  'queue-age': {
    name: 'Tasks wait long',
    summary: 'A task has waited in its queue for more than five minutes.',
    runbook:
      'Are workers alive (`caudal status`)? Is the pool full of something long (`caudal tasks --status running`)?',
    severity: 'ticket',
    condition: expression('max by (caudal_task_kind) (caudal_queue_oldest_age_seconds) > 300'),
    for: '1m',
  },
  'quarantine-ratio': {
    name: 'Many rows quarantined',
    summary: 'More than 5 % of the rows of the last hour did not fit their dataset.',
    runbook: 'The quarantine of the dataset says line, column and reason; fix and replay.',
    severity: 'ticket',
    condition: expression(
      'sum by (caudal_dataset) (increase(caudal_load_rows_total{caudal_outcome="quarantined"}[1h])) / ' +
        'sum by (caudal_dataset) (increase(caudal_load_rows_total[1h])) > 0.05',
    ),
    notify: { group_by: ['caudal_dataset'] },
  },
  'accounting-imbalance': {
    name: 'Row accounting out of balance',
    summary:
      'For some source, read is not accepted + quarantined + duplicates, or a dataset does not hold what was accepted.',
    runbook: 'Keep the data directory as it is. `GET /datasets/{name}/sources` shows the account; please report it.',
    severity: 'page',
    condition: above('caudal_accounting_unbalanced', 0, { aggregate: { function: 'max' } }),
  },
  'disk-floor': {
    name: 'Disk nearly full',
    summary: 'Less than 1 GB is free where the data is. At the floor (CAUDAL_DISK_FLOOR) nothing new is accepted.',
    runbook: 'Free space or give the data directory a larger disk. Shorter retention: CAUDAL_TELEMETRY_MAX_BYTES.',
    severity: 'page',
    condition: expression('min(caudal_disk_free_bytes) < 1e9'),
    for: '1m',
  },
  'cpu-high': {
    name: 'CPU busy',
    summary: 'A machine has used more than 90 % of its CPU for ten minutes.',
    runbook: 'Which process? `GET /instances` shows what each does.',
    severity: 'ticket',
    condition: expression('max by (instance) (system_cpu_utilization_ratio) > 0.9'),
    for: '10m',
    notify: PER_INSTANCE,
  },
  'memory-high': {
    name: 'Memory nearly used up',
    summary: 'A machine has used more than 90 % of its memory for five minutes.',
    runbook: 'Fewer workers or slots, or less for each: CAUDAL_READER_MEMORY, CAUDAL_SQL_MEMORY, CAUDAL_CACHE_BYTES.',
    severity: 'page',
    condition: expression('max by (instance) (system_memory_utilization_ratio) > 0.9'),
    for: '5m',
    notify: PER_INSTANCE,
  },
  'throughput-odd': {
    name: 'Throughput unlike itself',
    summary: 'Requests per second of a gateway are more than two deviations away from their own last day.',
    runbook: 'Did a client start, stop or loop? Compare routes in the console. Quiet installations: switch it off.',
    severity: 'info',
    // With less than four hours of history everything is unlike it.
    condition: expression(
      'abs(caudal_http_throughput_per_second - avg_over_time(caudal_http_throughput_per_second[1d])) > ' +
        '2 * stddev_over_time(caudal_http_throughput_per_second[1d]) and count_over_time(caudal_http_throughput_per_second[1d]) > 960',
    ),
    for: '10m',
  },
  'slo-burn-fast': {
    name: 'Service level burns fast',
    summary:
      'An error budget is being spent so fast that it will not last: 14.4 times too fast within an hour, or 6 times within six.',
    runbook: '`caudal slo` shows which, and its description what to look at first.',
    severity: 'page',
    condition: expression(`${burns('1h', '5m', 14.4)} or ${burns('6h', '30m', 6)}`),
    notify: { group_by: ['slo'] },
  },
  'slo-burn-slow': {
    name: 'Service level burns slowly',
    summary:
      'An error budget is being spent faster than it should: 3 times too fast within a day, or as fast as allowed for three.',
    runbook: '`caudal slo` shows which. Not for tonight, but for this week.',
    severity: 'ticket',
    condition: expression(`${burns('1d', '2h', 3)} or ${burns('3d', '6h', 1)}`),
    notify: { group_by: ['slo'], inhibited_by: ['Service level burns fast'] },
  },
} as const satisfies Record<string, BuiltinPolicy>;

/** What an owner gets with their first uptime check or service level: the same conditions over their own series. */
export const WATCHERS = {
  uptime: ['uptime-failing', 'certificate-expiry'],
  slos: ['slo-burn-fast', 'slo-burn-slow'],
} as const satisfies Record<string, readonly BuiltinKey[]>;

export type BuiltinKey = keyof typeof BUILTIN_POLICIES;
