/** UCUM to the words of Prometheus' names; units in braces are annotations and say nothing. */
const UNITS: Record<string, string> = {
  s: 'seconds',
  ms: 'milliseconds',
  By: 'bytes',
  '1': 'ratio',
  '%': 'percent',
  Cel: 'celsius',
};

/**
 * A metric's name as Prometheus has it, after "OpenTelemetry Metric Exporter – Prometheus": dots become `_`, the unit is
 * a suffix, monotonic sums (`counts`) end in `_total`. `/metrics`, the store and exported rules all say it so.
 * `http.server.request.duration`, `s` → `http_server_request_duration_seconds`
 */
export function prometheusName(name: string, unit: string, counts: boolean): string {
  let base = plainName(name);
  const suffix = unitWords(unit, counts);
  if (suffix && !base.endsWith(`_${suffix}`)) base += `_${suffix}`;
  return counts && !base.endsWith('_total') ? `${base}_total` : base;
}

/** Without its unit and kind. */
export function plainName(name: string): string {
  return name.replace(/[^a-zA-Z0-9_:]+/g, '_').replace(/^(?=\d)/, '_');
}

function unitWords(unit: string, counts: boolean): string {
  // A counter of "1" counts things; only gauges are ratios.
  if (unit === '' || unit.startsWith('{') || (unit === '1' && counts)) return unit.includes('/s') ? 'per_second' : '';
  const [over = '', under] = unit.split('/', 2);
  const words = UNITS[over] ?? over.replace(/\W+/g, '');
  return under === 's' ? `${words}_per_second` : words;
}

export function prometheusLabel(key: string): string {
  return key.replace(/[^a-zA-Z0-9_]/g, '_').replace(/^(?=\d)/, '_');
}

/** A number as Prometheus reads it. */
export function prometheusNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  return String(value);
}
