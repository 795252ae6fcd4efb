import type { Instance, Pool } from '#contract/instances.ts';
import { formatDuration } from '#kernel/duration.ts';
import { Refused } from '../client.ts';
import { type Command, EXIT } from '../command.ts';
import { type List, painted } from '../show.ts';
import { cell, textTable } from '../text-table.ts';

interface Health {
  status: string;
  checks: Record<string, string>;
}

export const command: Command = {
  usage: 'status [--json]',
  description: 'Exit code 0 when everything is well, 1 when something is not, 3 when nothing answers.',
  examples: [
    ['caudal status', 'for people'],
    ['caudal status --json', 'for scripts'],
  ],
  options: { json: { type: 'boolean', doc: 'As JSON' } },
  async run(context) {
    const { terminal } = context;
    const client = await context.client();
    const health = await client.get<Health>('healthz').catch((error: unknown) => {
      if (error instanceof Refused && error.status === 503) return { status: 'unavailable', checks: {} };
      throw error;
    });
    const { items, pool } = await client.get<List<Instance> & { pool: Pool }>('instances');
    const instances = items.filter((instance) => instance.state === 'alive' || instance.state === 'silent');
    const well = health.status === 'ok' && instances.every((instance) => instance.state === 'alive');
    if (context.flag('json')) {
      terminal.json({ url: client.url, ...health, instances, pool });
      return well ? EXIT.ok : EXIT.failed;
    }
    terminal.line(`${terminal.paint(well ? 'green' : 'red', well ? 'well' : health.status)}  ${client.url}`);
    for (const [name, result] of Object.entries(health.checks)) {
      if (result !== 'ok') terminal.line(`  ${name}: ${terminal.paint('red', result)}`);
    }
    terminal.line();
    const titles = ['name', 'state', 'pid', 'address', 'up', 'load', 'host'];
    const rows = instances.map(({ name, roles, state, pid, address, started_at, load, host }) => [
      ...[name ?? roles.join(','), painted(terminal, state), String(pid), address ?? ''],
      ...[formatDuration(Math.max(1, Date.now() - Date.parse(started_at))), loadOf(load), host],
    ]);
    terminal.line(textTable(terminal, titles, rows));
    terminal.line();
    for (const line of poolLines(pool)) terminal.line(line);
    for (const line of deathLines(items)) terminal.line(terminal.paint('yellow', line));
    return well ? EXIT.ok : EXIT.failed;
  },
};

function loadOf(load: Record<string, unknown>): string {
  return Object.entries(load)
    .map(([name, value]) => (name === 'queues' ? slotsOf(value) : `${name}=${cell(value)}`))
    .join(' ');
}

/** `load 1/2 upkeep 0/1`: busy slots of each queue. */
function slotsOf(queues: unknown): string {
  return Object.entries(queues as Record<string, { slots: number; busy: number }>)
    .map(([queue, { slots, busy }]) => `${queue} ${busy}/${slots}`)
    .join(' ');
}

function poolLines({ size, target, min, max, busy, slots, queued, oldest_queued_seconds, ...pool }: Pool): string[] {
  const waits = queued > 0 ? `, the oldest for ${formatDuration(Math.max(1, oldest_queued_seconds * 1_000))}` : '';
  const share = (value: number) => `${Math.round(value * 100)} %`;
  return [
    `pool: ${size} of ${min}–${max} workers (target ${target}), ${busy} of ${slots} slots busy, ${queued} waiting${waits}`,
    `      utilization ${share(pool.utilization)}, capacity in use ${share(pool.capacity)}`,
  ];
}

const HOUR_MS = 3_600_000;

/** Who died within the last hour, and what became of its work. */
function deathLines(items: readonly Instance[]): string[] {
  return items.flatMap(({ name, roles, pid, death }) => {
    if (!death || Date.now() - Date.parse(death.died_at) > HOUR_MS) return [];
    const how = death.signal ?? (death.exit_code === null ? death.cause : `status ${death.exit_code}`);
    const work = death.tasks.map(
      ({ task_id, status, instance }) => `${task_id} ${status ?? 'gone'} (${instance ?? '?'})`,
    );
    const doing = death.tasks_lost === 0 ? 'it ran nothing' : `${death.tasks_lost} tasks: ${work.join(', ')}`;
    return [`died: ${name ?? roles.join(',')} (pid ${pid}) at ${death.died_at}: ${how}; ${doing}`];
  });
}
