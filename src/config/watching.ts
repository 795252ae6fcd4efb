import { bytes, duration, type Setting, secret, text, Unfit, url } from '#kernel/setting.ts';
import { parseTailTargets, showTailTargets } from './tail-targets.ts';

const HOUR = 3_600_000;
const MB = 1_000_000;

/** What is kept how long, whom to tell, and who else is told. */
export const WATCHING = {
  // What is kept how long
  versionRetention: duration(
    'CAUDAL_VERSION_RETENTION',
    '7d',
    { min: 0 },
    'How long earlier versions of a dataset stay readable.',
  ),
  spanRetention: duration('CAUDAL_SPAN_RETENTION', '3d', { min: HOUR }, 'How long spans are kept.'),
  logRetention: duration('CAUDAL_LOG_RETENTION', '7d', { min: HOUR }, 'How long logs are kept in the telemetry store.'),
  metricRetention: duration('CAUDAL_METRIC_RETENTION', '15d', { min: HOUR }, 'How long raw metrics are kept.'),
  rollupRetention: duration(
    'CAUDAL_ROLLUP_RETENTION',
    '90d',
    { min: HOUR },
    'How long what is summed up of telemetry (rate, errors and duration by the minute; traces) is kept.',
  ),
  telemetryMaxBytes: bytes(
    'CAUDAL_TELEMETRY_MAX_BYTES',
    '10GB',
    { min: 10 * MB },
    'What the telemetry store may take on disk; the oldest goes first, the newest hour stays (beyond, 503).',
  ),
  telemetryRateWorkspace: bytes(
    'CAUDAL_TELEMETRY_RATE_WORKSPACE',
    '1GB',
    { min: 1000 },
    'Telemetry, unpacked, that one workspace may send in a minute; beyond, 429.',
  ),
  telemetryRateSystem: bytes(
    'CAUDAL_TELEMETRY_RATE_SYSTEM',
    '500MB',
    { min: 1000 },
    'Telemetry, unpacked, that one system (service.namespace) of a workspace may send in a minute; beyond, 429.',
  ),
  logFileBytes: bytes(
    'CAUDAL_LOG_FILE_BYTES',
    '20MB',
    { min: 10_000 },
    'Size at which a log file under logs/ is rotated; four older ones are kept.',
  ),
  logFileAge: duration(
    'CAUDAL_LOG_FILE_AGE',
    '7d',
    { min: 60_000 },
    'Age at which a log file under logs/ is rotated, however small it is.',
  ),
  tail: {
    ...text(
      'CAUDAL_TAIL',
      '',
      'Log files of other programs that the telemetry process sends on, as format:/path with commas between; formats: nginx, postgresql, text.',
    ),
    parse: parseTailTargets,
    show: showTailTargets,
  },
  // Mail and alerts
  smtpUrl: {
    ...url(
      'CAUDAL_SMTP_URL',
      '',
      ['smtp', 'smtps'],
      'Mail server, as smtp://user:password@host:587; empty: no mail is sent.',
    ),
    secret: true,
  },
  mailFrom: text(
    'CAUDAL_MAIL_FROM',
    '',
    'Sender of mails, as Caudal <caudal@example.org>; empty: caudal@ the mail server.',
  ),
  operatorMail: {
    ...text(
      'CAUDAL_OPERATOR_MAIL',
      '',
      "Who is told of the installation's incidents where no channel is set up, with commas between; empty: the operators' addresses.",
    ),
    parse: parseAddresses,
    show: (value: string[]) => value.join(','),
  },
  watchdogUrl: url(
    'CAUDAL_WATCHDOG_URL',
    '',
    ['http', 'https'],
    "Called every minute while alerts are evaluated: a dead man's switch elsewhere that tells when this installation cannot.",
  ),
  // Telemetry to elsewhere
  otlpEndpoint: url(
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    '',
    ['http', 'https'],
    "Where telemetry goes; empty: to Caudal's own store.",
  ),
  otlpHeaders: secret('OTEL_EXPORTER_OTLP_HEADERS', 'Headers of the export, key=value with commas between.'),
  // The command line as a client
  url: url(
    'CAUDAL_URL',
    '',
    ['http', 'https'],
    "The gateway that commands talk to; empty: the local one's, from admin.json.",
  ),
  token: secret('CAUDAL_TOKEN', "The API token of commands; empty: the local one's, from admin.json."),
} satisfies Record<string, Setting<unknown>>;

const ADDRESS = /^[^\s@<>,;]+@[^\s@<>,;]+$/;

function parseAddresses(value: string): string[] {
  const addresses = value
    .split(',')
    .map((address) => address.trim())
    .filter(Boolean);
  if (!addresses.every((address) => ADDRESS.test(address)))
    throw new Unfit('must be mail addresses with commas between');
  return addresses;
}
