import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { jmxPlan } from '../loadtest/jmx.ts';
import { cliPage } from './cli.ts';
import { errorsPage } from './errors.ts';
import { grafanaDashboards } from './grafana.ts';
import { nginxConf } from './nginx.ts';
import { alertmanagerFile, rulesFile } from './prometheus.ts';
import { readerOptionsTable } from './reader-options.ts';
import { settingsTable } from './settings.ts';

import { sloPage } from './slo.ts';
import { telemetryPage } from './telemetry.ts';

export interface GeneratedFile {
  /** From the root of the checkout. */
  path: string;
  text: string;
}

export const inRoot = (path: string): string => join(import.meta.dirname, '../..', path);

/** What the files must hold, made from the tables of the program. */
export async function generatedFiles(): Promise<GeneratedFile[]> {
  return [
    { path: 'docs/cli.md', text: await cliPage() },
    { path: 'docs/errors.md', text: errorsPage() },
    { path: 'docs/telemetry.md', text: telemetryPage() },
    ...grafanaDashboards(),
    { path: 'docs/slo.md', text: sloPage() },
    { path: 'deploy/prometheus/caudal.rules.yml', text: rulesFile() },
    { path: 'deploy/prometheus/alertmanager.yml', text: alertmanagerFile() },
    { path: 'deploy/nginx/caudal.conf', text: nginxConf() },
    { path: 'deploy/loadtest/caudal.jmx', text: jmxPlan() },
    part('docs/operate.md', 'settings', settingsTable()),
    part('docs/loading.md', 'reader options', readerOptionsTable()),
  ];
}

/** A page written by hand in which the lines between two marks are made. */
function part(path: string, name: string, made: string): GeneratedFile {
  const page = readFileSync(inRoot(path), 'utf8');
  const begin = `<!-- begin ${name}: made by scripts/docs.ts -->\n`;
  const end = `<!-- end ${name} -->`;
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${path} lacks the marks of "${name}"`);
  return { path, text: `${page.slice(0, from + begin.length)}\n${made}\n${page.slice(to)}` };
}
