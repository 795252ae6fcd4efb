import type { RoleStart } from './role.ts';

export interface RoleEntry {
  summary: string;
  /** What a process of this role needs besides PostgreSQL and the object store. */
  needs: string;
  /** Options of Node for a process that runs this role alone. */
  node?: readonly string[];
  /** Its environment, where the operator's says nothing else. */
  env?: Readonly<Record<string, string>>;
  /** Lazily imported, so that a process loads only what it runs. */
  load: () => Promise<RoleStart>;
}

/** Which processes exist: the name after `--roles` → what it does. */
export const ROLES = {
  api: {
    summary: 'The gateway: HTTP API, signed object URLs of the disk store, the console',
    needs: 'a port',
    load: () => import('./api.ts').then((module) => module.startApi),
  },
  worker: {
    summary: 'Runs tasks: loads, replays, compaction, deletions; sweeps what nobody owns',
    needs: 'memory and cores for readers',
    load: () => import('./worker.ts').then((module) => module.startWorker),
  },
  telemetry: {
    summary: 'OTLP intake and the telemetry store',
    needs: 'disk for its write-ahead files',
    // What it makes of an export is short-lived: a larger young generation is 100 MB more at 60,000 spans/s, and no faster.
    node: ['--max-semi-space-size=8'],
    // glibc keeps what was freed in an arena for each thread: with two it is 40 MB less at that rate, and no slower.
    env: { MALLOC_ARENA_MAX: '2' },
    load: () => import('./telemetry.ts').then((module) => module.startTelemetryRole),
  },
} as const satisfies Record<string, RoleEntry>;

export type RoleName = keyof typeof ROLES;

/** `all` is just another row. */
export const EVERY_ROLE = Object.keys(ROLES) as RoleName[];

export class UnknownRole extends Error {
  constructor(name: string) {
    super(`There is no role "${name}"; the roles are ${EVERY_ROLE.join(', ')} and all.`);
    this.name = 'UnknownRole';
  }
}

/** `"api,worker"` → names, without repeats. @throws UnknownRole */
export function parseRoles(text: string): RoleName[] {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);
  const chosen = names.flatMap((name) => (name === 'all' ? EVERY_ROLE : [name]));
  const unknown = chosen.find((name) => !Object.hasOwn(ROLES, name));
  if (unknown !== undefined || chosen.length === 0) throw new UnknownRole(unknown ?? text);
  return [...new Set(chosen)] as RoleName[];
}
