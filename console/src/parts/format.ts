import i18next from 'i18next';

const language = (): string => i18next.language || 'en';

export function formatNumber(value: number): string {
  return new Intl.NumberFormat(language()).format(value);
}

/** Share of a whole, 0–1: `0.5 %`. */
export function formatShare(value: number): string {
  return new Intl.NumberFormat(language(), { style: 'percent', maximumFractionDigits: 1 }).format(value);
}

const BYTES = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;

/** Decimal units, as file managers show them: 999 B, 1.4 MB. */
export function formatBytes(bytes: number): string {
  let step = Math.min(BYTES.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  if (step < BYTES.length - 1 && Math.round(bytes / 1000 ** step) >= 1000) step += 1;
  const value = bytes / 1000 ** step;
  if (step === 0) return `${formatNumber(value)} B`;
  return new Intl.NumberFormat(language(), {
    style: 'unit',
    unit: BYTES[step] ?? 'byte',
    unitDisplay: 'short',
    maximumFractionDigits: value < 10 ? 1 : 0,
  }).format(value);
}

/** Without seconds: what has to be exact is in the title. */
export function formatTime(iso: string): string {
  return new Intl.DateTimeFormat(language(), { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(iso));
}

export function formatExactTime(iso: string): string {
  return new Intl.DateTimeFormat(language(), { dateStyle: 'full', timeStyle: 'long' }).format(new Date(iso));
}

/** Nanoseconds as people read them: 0.4 ms, 38 ms, 1.25 s, 2 min 5 s. */
export function formatDuration(ns: number): string {
  const number = (value: number, digits: number): string =>
    new Intl.NumberFormat(language(), { maximumFractionDigits: digits }).format(value);
  const ms = ns / 1e6;
  if (ms < 0.9995) return `${number(ms, 2)} ms`;
  if (ms < 999.5) return `${number(ms, ms < 9.95 ? 1 : 0)} ms`;
  const seconds = ms / 1000;
  if (seconds < 59.995) return `${number(seconds, 2)} s`;
  const whole = Math.round(seconds);
  return `${number(Math.floor(whole / 60), 0)} min ${whole % 60} s`;
}

/** A value of a cell, of a span's attribute, of a profile: texts as they are, the rest as JSON. */
export function formatValue(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** A timestamp as a table shows it: `2025-01-01 00:05:00`, and fractions where there are any. */
export function formatTimestamp(value: string): string {
  return value.replace(/^(\d{4,}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.0+)?(\.\d+)?Z?$/, '$1 $2$3');
}
