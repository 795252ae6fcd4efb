import { join } from 'node:path';
import { choice, duration, integer, path, type Setting, secret, text, Unfit, url } from '#kernel/setting.ts';
import { parseCidrs } from './cidrs.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Ports above 1023 that browsers and `fetch` refuse to speak HTTP to. Source: WHATWG Fetch, §2.9 "Port blocking". */
const BLOCKED_PORTS = new Set([
  1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
]);

const HOUR = 3_600_000;

/** Where an installation lives and which processes it is. */
export const PROCESSES = {
  // Where things are
  dataDir: {
    ...path('CAUDAL_DATA_DIR', '.caudal', 'Everything Caudal keeps on this machine; by default inside the checkout.'),
    // Commands work from any directory: the default does not depend on it.
    initial: () => join(ROOT, '.caudal'),
  },
  host: text('CAUDAL_HOST', '127.0.0.1', 'Address that the gateway listens on; 0.0.0.0 opens it to the network.'),
  port: {
    ...integer('CAUDAL_PORT', '5050', { min: 0, max: 65_535 }, 'Port of the gateway; 0 takes a free one.'),
    parse: parsePort,
  },
  publicUrl: url(
    'CAUDAL_PUBLIC_URL',
    '',
    ['http', 'https'],
    'Where people reach the gateway; empty: http://host:port.',
  ),
  trustedProxies: {
    ...text(
      'CAUDAL_TRUSTED_PROXIES',
      '',
      'Load balancers whose X-Forwarded-For is believed, as CIDRs with commas between; without it every caller behind one has its address.',
    ),
    parse: parseCidrs,
    show: (value: string[]) => value.join(','),
  },
  databaseUrl: {
    ...url(
      'DATABASE_URL',
      '',
      ['postgres', 'postgresql'],
      'PostgreSQL 15 or later; empty: an embedded one in the data directory.',
    ),
    secret: true,
  },
  objects: {
    ...text('CAUDAL_OBJECTS', 'disk', 'Where objects live: disk (in the data directory).'),
    parse: parseObjects,
  },
  environment: choice(
    'CAUDAL_ENV',
    'dev',
    ['dev', 'qa', 'staging', 'prod'],
    'Which environment this is; shown and attached to telemetry.',
  ),
  logLevel: choice(
    'CAUDAL_LOG_LEVEL',
    'info',
    ['trace', 'debug', 'info', 'warn', 'error', 'fatal'],
    'The least severe lines that are logged.',
  ),
  // Processes
  apiInstances: integer('CAUDAL_API_INSTANCES', '1', { min: 1, max: 64 }, 'api processes that `caudal up` starts.'),
  workersMin: integer(
    'CAUDAL_WORKERS_MIN',
    '1',
    { min: 1, max: 256 },
    'worker processes that `caudal up` keeps running at least.',
  ),
  workersMax: integer(
    'CAUDAL_WORKERS_MAX',
    '1',
    { min: 1, max: 256 },
    'worker processes that the pool may grow to while tasks wait.',
  ),
  workerSlots: integer('CAUDAL_WORKER_SLOTS', '2', { min: 1, max: 64 }, 'Tasks that one worker runs at a time.'),
  scaleUpAfter: duration(
    'CAUDAL_SCALE_UP_AFTER',
    '5s',
    { min: 100, max: HOUR },
    'How long more than 75 % of the slots must be busy, or tasks wait, before the pool grows.',
  ),
  scaleDownAfter: duration(
    'CAUDAL_SCALE_DOWN_AFTER',
    '60s',
    { min: 100, max: 24 * HOUR },
    'How long fewer workers must have sufficed before the pool shrinks.',
  ),
  tasksQueued: integer(
    'CAUDAL_TASKS_QUEUED',
    '10000',
    { min: 1 },
    'Tasks that one workspace may have waiting (429 above).',
  ),
  tasksRunning: integer(
    'CAUDAL_TASKS_RUNNING',
    '0',
    { min: 0, max: 100_000 },
    'Tasks of one kind of queue that one workspace may have running at once; 0: as many as there are slots.',
  ),
  telemetryPort: integer(
    'CAUDAL_TELEMETRY_PORT',
    '0',
    { min: 0, max: 65_535 },
    'Port of the telemetry role on loopback; 0 takes a free one.',
  ),
  metricsHost: text(
    'CAUDAL_METRICS_HOST',
    '127.0.0.1',
    "Address of each process's own /metrics and /livez; whoever reaches it may read them.",
  ),
  metricsPort: integer(
    'CAUDAL_METRICS_PORT',
    '0',
    { min: 0, max: 65_535 },
    'Port of /metrics and /livez of one process; 0 takes a free one, which `GET /instances` names.',
  ),
  internalSecret: secret(
    'CAUDAL_INTERNAL_SECRET',
    'Shared by the processes of one installation; `caudal up` makes one. Needed by `caudal serve` on several machines.',
  ),
  drainTimeout: duration(
    'CAUDAL_DRAIN_TIMEOUT',
    '30s',
    { min: 100, max: 24 * HOUR },
    'How long a process that was told to stop may finish its work.',
  ),
} satisfies Record<string, Setting<unknown>>;

function parsePort(value: string): number {
  const port = Number(value);
  if (!/^\d{1,5}$/.test(value) || port > 65_535) throw new Unfit('must be a port between 0 and 65535');
  if (BLOCKED_PORTS.has(port)) throw new Unfit('names a port that browsers refuse to open; take another, such as 5050');
  return port;
}

function parseObjects(value: string): 'disk' {
  if (value === 'disk') return value;
  if (value.startsWith('s3://'))
    throw new Unfit('names an S3 store, which this version cannot use yet; leave it at disk');
  throw new Unfit('must be disk');
}
