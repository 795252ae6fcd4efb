import type { Command } from './command.ts';

export interface Entry {
  group: string;
  summary: string;
  /** Imported only when it is run: `caudal --help` stays quick. */
  load: () => Promise<{ command: Command }>;
}

/** Every command, in the order in which `caudal help` lists them. */
export const COMMANDS = {
  up: { group: 'Run', summary: 'Start everything on this machine', load: () => import('./commands/up.ts') },
  serve: { group: 'Run', summary: 'Run one process with the given roles', load: () => import('./commands/serve.ts') },
  demo: { group: 'Run', summary: 'Show the main job on a generated file', load: () => import('./commands/demo.ts') },
  status: { group: 'Run', summary: 'Is it up, and what is it doing', load: () => import('./commands/status.ts') },
  info: { group: 'Run', summary: 'Where things are: URLs, data, versions', load: () => import('./commands/info.ts') },
  logs: { group: 'Run', summary: 'Read the log files of the processes', load: () => import('./commands/logs.ts') },
  upload: {
    group: 'Data',
    summary: 'Upload files and load them into datasets',
    load: () => import('./commands/upload.ts'),
  },
  load: {
    group: 'Data',
    summary: 'Load a stored file or a URL into a dataset',
    load: () => import('./commands/load.ts'),
  },
  publish: {
    group: 'Data',
    summary: 'Publish events to a topic',
    load: () => import('./commands/publish.ts'),
  },
  topics: {
    group: 'Data',
    summary: 'Topics, who gets their events, and how far each has come',
    load: () => import('./commands/topics.ts'),
  },
  webhooks: {
    group: 'Data',
    summary: 'What was posted to webhooks; send dead letters again',
    load: () => import('./commands/webhooks.ts'),
  },
  files: { group: 'Data', summary: 'List, show, download or delete files', load: () => import('./commands/files.ts') },
  datasets: { group: 'Data', summary: 'List datasets, or show one', load: () => import('./commands/datasets.ts') },
  rows: { group: 'Data', summary: 'Read rows of a dataset', load: () => import('./commands/rows.ts') },
  report: {
    group: 'Data',
    summary: 'Write a workbook: groups, totals, rows, where they came from',
    load: () => import('./commands/report.ts'),
  },
  chart: { group: 'Data', summary: 'Draw a chart of a dataset', load: () => import('./commands/chart.ts') },
  endpoints: {
    group: 'Data',
    summary: 'Publish queries as an API; list, call, withdraw them',
    load: () => import('./commands/endpoints.ts'),
  },
  sql: { group: 'Data', summary: 'Ask in SQL', load: () => import('./commands/sql.ts') },
  video: { group: 'Work', summary: 'Make clips of a video', load: () => import('./commands/video.ts') },
  tasks: { group: 'Work', summary: 'List, follow, cancel or retry tasks', load: () => import('./commands/tasks.ts') },
  incidents: {
    group: 'Work',
    summary: 'What is broken, since when; take one on',
    load: () => import('./commands/incidents.ts'),
  },
  policies: {
    group: 'Work',
    summary: 'What is watched; export it for Prometheus',
    load: () => import('./commands/policies.ts'),
  },
  slo: { group: 'Work', summary: 'Service levels and their budgets', load: () => import('./commands/slo.ts') },
  uptime: {
    group: 'Work',
    summary: 'Uptime checks and what they saw',
    load: () => import('./commands/uptime.ts'),
  },
  trace: { group: 'Work', summary: 'Draw a trace as a waterfall', load: () => import('./commands/trace.ts') },
  traces: { group: 'Work', summary: 'Search traces', load: () => import('./commands/traces.ts') },
  metrics: {
    group: 'Work',
    summary: 'What was measured: rates, quantiles, by label',
    load: () => import('./commands/metrics.ts'),
  },
  fleet: {
    group: 'Work',
    summary: 'Every system that sends telemetry, worst first',
    load: () => import('./commands/fleet.ts'),
  },
  tokens: {
    group: 'Administration',
    summary: 'List, make or revoke API tokens',
    load: () => import('./commands/tokens.ts'),
  },
  migrate: {
    group: 'Administration',
    summary: 'Bring the database to this version',
    load: () => import('./commands/migrate.ts'),
  },
  backup: { group: 'Administration', summary: 'Write a backup', load: () => import('./commands/backup.ts') },
  restore: {
    group: 'Administration',
    summary: 'Restore a backup into an empty directory',
    load: () => import('./commands/restore.ts'),
  },
  'check-config': {
    group: 'Administration',
    summary: 'Check and print the settings in force',
    load: () => import('./commands/check-config.ts'),
  },
  'list-roles': {
    group: 'Administration',
    summary: 'Which roles a process can have',
    load: () => import('./commands/list-roles.ts'),
  },
  openapi: {
    group: 'Administration',
    summary: 'Print the OpenAPI document',
    load: () => import('./commands/openapi.ts'),
  },
} as const satisfies Record<string, Entry>;

export type CommandName = keyof typeof COMMANDS;

export function isCommand(name: string): name is CommandName {
  return Object.hasOwn(COMMANDS, name);
}
