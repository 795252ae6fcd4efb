import { HOST } from './measured/host.ts';
import { PROCESSES } from './measured/processes.ts';
import { REQUESTS } from './measured/requests.ts';
import { ROWS } from './measured/rows.ts';
import { WATCHING } from './measured/watching.ts';
import { WORK } from './measured/work.ts';
import type { MetricEntry, MetricType } from './metric-entry.ts';

/**
 * Every metric of Caudal's own rooms that is measured through `platform/observe/metrics`: instruments, `/metrics`,
 * docs/telemetry.md and the dashboards are made of this one table, whose parts are in `measured/`. Names follow
 * OpenTelemetry's semantic conventions where there are any. Counts and bytes never reset but with their process;
 * durations are seconds.
 */
export const METRICS = {
  ...REQUESTS,
  ...ROWS,
  ...WORK,
  ...WATCHING,
  ...PROCESSES,
  ...HOST,
} as const satisfies Record<string, MetricEntry>;

export type MetricName = keyof typeof METRICS;
export type MetricOfType<T extends MetricType> = {
  [N in MetricName]: (typeof METRICS)[N]['type'] extends T ? N : never;
}[MetricName];
