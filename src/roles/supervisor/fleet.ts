import { join } from 'node:path';
import type { Config, Environment } from '#config';
import { systemClock } from '#kernel/clock.ts';
import { ROLES, type RoleEntry, type RoleName } from '../table.ts';
import { type Ended, type SupervisedChild, superviseChild } from './child.ts';
import { openLogFile } from './log-file.ts';
import { PROCESS_NAME, SUPERVISED } from './orphans.ts';
import { forPeople, keep } from './output.ts';

/** What happens to the processes, told to whoever watches (a person at a terminal, usually). */
export type Tell = (event: FleetEvent) => void;

export interface FleetEvent {
  name: string;
  level: 'info' | 'warn' | 'error';
  message: string;
}

export interface FleetOptions {
  config: Config;
  /** Node and the front door: `[node, main.ts]`. */
  program: readonly [string, string];
  /** The checkout: every process's working directory. */
  root: string;
  env: Environment;
  /** Overrides that every child gets: where things are, secrets. */
  settings: Record<string, string>;
  /** Whether `setpriv` can bind the children's lives to ours. */
  setpriv: boolean;
  tell: Tell;
  /** Each death, so that its work can go to others at once. */
  died(how: Ended & { role: string; name: string }): void;
}

interface Member {
  name: string;
  role: RoleName;
}

/** Which processes this machine always runs: api as often as configured, telemetry once. Workers come and go. */
function members(config: Config): Member[] {
  const apis = Array.from(
    { length: config.apiInstances },
    (_, index): Member => ({
      role: 'api',
      name: config.apiInstances === 1 ? 'api' : `api-${index + 1}`,
    }),
  );
  return [{ role: 'telemetry', name: 'telemetry' }, ...apis];
}

interface Running {
  role: string;
  child: SupervisedChild;
  /** Finishes its work and goes. */
  retiring?: boolean;
}

export interface Fleet {
  children: Running[];
  /** Starts workers, or lets the youngest finish and go, until there are so many. */
  resize(workers: number): void;
  /** Stops the processes of one role together. */
  stop(role: string, limit: number): Promise<void>;
  kill(): void;
}

/** Starts one process per member; each dies with us and is started again when it dies alone. */
export function startFleet(options: FleetOptions): Fleet {
  const children: Running[] = [];
  let ending = false;
  const add = (member: Member): void => {
    children.push({ role: member.role, child: startMember(options, member) });
  };
  const retire = async (one: Running): Promise<void> => {
    one.retiring = true;
    options.tell({ name: one.child.name, level: 'info', message: 'retiring: finishes what it runs' });
    await one.child.retire();
    children.splice(children.indexOf(one), 1);
    if (!ending) options.tell({ name: one.child.name, level: 'info', message: 'retired' });
  };
  for (const member of members(options.config)) add(member);
  return {
    children,
    resize(workers) {
      if (ending) return;
      const working = children.filter(({ role, retiring }) => role === 'worker' && !retiring);
      for (let count = working.length; count < workers; count += 1) {
        add({ role: 'worker', name: freeName(options.config, children) });
      }
      for (const one of working.slice(workers)) void retire(one);
    },
    async stop(role, limit) {
      ending = true;
      await Promise.all(children.filter((one) => one.role === role).map(({ child }) => child.stop(limit)));
    },
    kill() {
      ending = true;
      for (const { child } of children) child.kill();
    },
  };
}

/** The lowest number that no living worker has; a pool that cannot grow needs none. */
function freeName({ workersMax }: Config, children: readonly Running[]): string {
  const taken = new Set(children.map(({ child }) => child.name));
  if (workersMax === 1 && !taken.has('worker')) return 'worker';
  for (let number = 1; ; number += 1) if (!taken.has(`worker-${number}`)) return `worker-${number}`;
}

function startMember(options: FleetOptions, { name, role }: Member): SupervisedChild {
  const { config, program, tell } = options;
  const file = openLogFile(join(config.dataDir, 'logs', `${name}.log`), {
    bytes: config.logFileBytes,
    age: config.logFileAge,
  });
  const [node, main] = program;
  const { node: nodeOptions = [], env = {} }: RoleEntry = ROLES[role];
  const command = [node, ...nodeOptions, main, 'serve', '--roles', role];
  const bound = options.setpriv ? ['setpriv', '--pdeathsig', 'TERM', ...command] : command;
  return superviseChild(
    {
      name,
      file: bound[0] ?? '',
      args: bound.slice(1),
      cwd: options.root,
      env: { ...env, ...options.env, ...options.settings, [SUPERVISED]: String(process.pid), [PROCESS_NAME]: name },
    },
    {
      started: (pid) => tell({ name, level: 'info', message: `started (pid ${pid})` }),
      died(how) {
        tell({ name, level: 'error', message: obituary(how) });
        options.died({ ...how, role, name });
      },
      line(line) {
        keep(file, line, systemClock.now());
        const shown = forPeople(line);
        if (shown) tell({ name, level: shown.level === 'warn' ? 'warn' : 'error', message: shown.message });
      },
    },
  );
}

function obituary({ code, signal, pid, again }: Ended): string {
  const how = signal ? `was killed by ${signal}` : `ended with status ${code}`;
  if (again === null) return `pid ${pid} ${how} while it was retiring`;
  return `pid ${pid} ${how}; starting again ${again === 0 ? 'at once' : `in ${(again / 1000).toFixed(1)} s`}`;
}
