export interface BuiltinSlo {
  name: string;
  service: string;
  good: string;
  total: string;
  target: number;
  window: string;
  why: string;
  /** What else could have been measured, and why it is not. */
  discarded: string;
  runbook: string;
}

const REQUESTS = 'http_server_request_duration_seconds';
const requests = 'sum(increase(http_server_request_duration_seconds_count[1m]))';
const within = (seconds: string): string => `sum(increase(${REQUESTS}_bucket{le="${seconds}"}[1m]))`;

const latency = (ms: number, seconds: string, target: number, share: string): BuiltinSlo => ({
  name: `Requests within ${ms} ms`,
  service: 'caudal-api',
  good: within(seconds),
  total: requests,
  target,
  window: '30d',
  why: `${share} of the requests are answered within ${ms} ms. Counted in the gateway over all routes but event streams, as a share of requests and not of minutes: a quiet night cannot pay for a busy noon.`,
  discarded:
    'Averages (they hide the slow tail); percentiles as gauges (they cannot be added up over replicas); client-side times (they measure networks that nobody here can mend).',
  runbook:
    'Which route? `GET /telemetry/metrics` grouped by http_route, then the slowest traces of it: `GET /telemetry/traces?min_duration_ms=`.',
});

/** The service levels that Caudal keeps for itself. Editable; docs/slo.md is made of this table. */
export const BUILTIN_SLOS = {
  'latency-100ms': latency(100, '0.1', 0.95, '95 %'),
  'latency-300ms': latency(300, '0.3', 0.99, '99 %'),
  'latency-500ms': latency(500, '0.5', 0.999, '99.9 %'),
  failures: {
    name: 'Requests that do not fail',
    service: 'caudal-api',
    good: `sum(increase(${REQUESTS}_count{http_response_status_code!~"5..|408"}[1m]))`,
    total: requests,
    target: 0.99,
    window: '30d',
    why: 'Fewer than 1 % of the requests fail. Failed is what the caller cannot help: 5xx, or timed out.',
    discarded:
      'Counting 4xx as failures (a client’s loop would wake the operator; they are shown apart); counting restarts (a replica that dies behind a balancer fails nobody).',
    runbook: 'Which status and route? `GET /telemetry/traces?status=error` shows the first error of each.',
  },
  availability: {
    name: 'Uptime checks that succeed',
    service: 'uptime',
    good: 'sum(sum_over_time(caudal_uptime_up[1m]))',
    total: 'sum(count_over_time(caudal_uptime_up[1m]))',
    target: 0.999,
    window: '30d',
    why: '99.9 % of the uptime checks are good: seen from outside, with name resolution, TLS and proxy.',
    discarded:
      'A process that runs (it may answer nobody); /readyz alone (it is asked from the inside); minutes of downtime (a check a minute cannot tell 10 s from 60 s).',
    runbook: '`caudal uptime` says what the failing check got. Service, network, certificate or the check itself?',
  },
  'accepted-rows': {
    name: 'Rows accepted',
    service: 'data',
    good: 'sum(increase(caudal_load_rows_total{caudal_outcome!="quarantined"}[1m]))',
    total: 'sum(increase(caudal_load_rows_total[1m]))',
    target: 0.99,
    window: '30d',
    why: '99 % of the rows that come in fit their dataset. Duplicates by key count as good: they were understood.',
    discarded:
      'Files that loaded (one bad file of a million rows would weigh as much as one of ten); open quarantine (it measures how quickly people repair, not what comes in).',
    runbook:
      '`GET /datasets/{name}/quarantine` says line, column and reason. Fix and replay, or talk to whoever sends it.',
  },
  'upload-to-queryable': {
    name: 'Uploads queryable within 5 s',
    service: 'data',
    good: 'sum(increase(caudal_upload_queryable_seconds_bucket{le="5"}[1m]))',
    total: 'sum(increase(caudal_upload_queryable_seconds_count[1m]))',
    target: 0.95,
    window: '30d',
    why: '95 % of the loads can be queried within five seconds after they were asked for: what a person waits for in front of the page.',
    discarded:
      'From the first byte sent (that measures the sender’s line); rows per second (nobody waits for a rate); only successful loads’ run time (it leaves the queue out).',
    runbook:
      'Is the queue long (`caudal tasks`), the pool at its maximum, or one file huge? The load’s trace shows its steps.',
  },
  'event-to-queryable': {
    name: 'Events queryable within 5 s',
    service: 'data',
    good: 'sum(increase(caudal_events_queryable_seconds_bucket{le="5"}[1m]))',
    total: 'sum(increase(caudal_events_queryable_seconds_count[1m]))',
    target: 0.999,
    window: '30d',
    why: '99.9 % of the acknowledged batches of events are in their table within five seconds.',
    discarded:
      'Time to the acknowledgement (that is the latency of the request, above); backlog (its size says nothing about how old it is).',
    runbook: 'Do the drains run (`GET /topics`)? A subscription that falls behind shows its backlog and last error.',
  },
} as const satisfies Record<string, BuiltinSlo>;
