import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after } from 'node:test';

const PROGRAMS = ['prometheus', 'prometheus-alertmanager', 'prometheus-blackbox-exporter'] as const;
const DEPLOYED = join(import.meta.dirname, '../../deploy/prometheus');

/** Debian's packages of these names; the first that is not there, if any. */
export const missingMonitor = PROGRAMS.find((program) => spawnSync(program, ['--version']).status !== 0);

export interface MonitorSettings {
  directory: string;
  /** `host:port` of a gateway. */
  gateway: string;
  /** As `caudal policies export` prints them. */
  rules: string;
  alertmanager: string;
  /** `host:port` of the mail server. */
  smtp: string;
}

export interface Monitor {
  /** The value of an expression of one series; undefined while it has none. */
  ask(expression: string): Promise<number | undefined>;
}

/**
 * Prometheus, Alertmanager and the blackbox exporter with the files of `deploy/prometheus` and the exported ones; only
 * addresses are put in, and it looks every second. To be called at the top of a file, with which it ends.
 */
export async function startMonitor(settings: MonitorSettings): Promise<Monitor> {
  const { directory, gateway, rules, alertmanager, smtp } = settings;
  const [prometheusPort, alertmanagerPort, blackboxPort] = await freePorts(3);
  mkdirSync(directory, { recursive: true });
  const keep = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  keep('caudal.rules.yml', rules);
  const own = keep('alertmanager.yml', put(alertmanager, [['localhost:25', smtp]]));
  const config = put(readFileSync(join(DEPLOYED, 'prometheus.yml'), 'utf8'), [
    ['127.0.0.1:5050', gateway],
    ['127.0.0.1:9093', `127.0.0.1:${alertmanagerPort}`],
    ['127.0.0.1:9115', `127.0.0.1:${blackboxPort}`],
    // A list that is asked for too often is given up too soon where the machine is busy.
    ['refresh_interval: 15s', 'refresh_interval: 5s'],
    ['interval: 15s', 'interval: 1s'],
  ]);
  const children = [
    run('prometheus-blackbox-exporter', [
      `--config.file=${join(DEPLOYED, 'blackbox.yml')}`,
      `--web.listen-address=127.0.0.1:${blackboxPort}`,
    ]),
    run('prometheus-alertmanager', [
      `--config.file=${own}`,
      `--storage.path=${join(directory, 'alertmanager')}`,
      `--web.listen-address=127.0.0.1:${alertmanagerPort}`,
      '--cluster.listen-address=',
    ]),
    run('prometheus', [
      `--config.file=${keep('prometheus.yml', config)}`,
      `--storage.tsdb.path=${join(directory, 'prometheus')}`,
      `--web.listen-address=127.0.0.1:${prometheusPort}`,
    ]),
  ];
  after(() => Promise.all(children.map(end)));
  return {
    async ask(expression) {
      const url = `http://127.0.0.1:${prometheusPort}/api/v1/query?query=${encodeURIComponent(expression)}`;
      const response = await fetch(url).catch(() => undefined);
      if (!response?.ok) return undefined;
      const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } };
      const [, value] = data.result[0]?.value ?? [];
      return value === undefined ? undefined : Number(value);
    },
  };
}

/** @throws when the text has no such part: the file has changed */
function put(text: string, parts: readonly (readonly [string, string])[]): string {
  return parts.reduce((before, [part, instead]) => {
    if (!before.includes(part)) throw new Error(`the file has no "${part}"`);
    return before.replaceAll(part, instead);
  }, text);
}

const run = (program: (typeof PROGRAMS)[number], args: string[]): ChildProcess =>
  spawn(program, [...args, '--log.level=error'], { stdio: ['ignore', 'ignore', 'inherit'] });

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

/** Of this moment: these programs cannot say which port they took by themselves. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(async (server) => {
      await once(server.listen(0, '127.0.0.1'), 'listening');
      return (server.address() as { port: number }).port;
    }),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
