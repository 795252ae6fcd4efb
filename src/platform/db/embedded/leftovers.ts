import { realpathSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { canSeeProcesses, endProcesses, isAlive, listProcesses, type Step } from '#platform/process/processes.ts';

const FAST_THEN_HARD: readonly Step[] = [
  { signal: 'SIGINT', wait: 15_000 },
  { signal: 'SIGQUIT', wait: 5_000 },
  { signal: 'SIGKILL', wait: 5_000 },
];
/** Without its postmaster a backend has nobody to answer to: it ends at once. */
const HARD: readonly Step[] = [
  { signal: 'SIGQUIT', wait: 1_000 },
  { signal: 'SIGKILL', wait: 5_000 },
];

/**
 * Ends whatever an earlier run left in this data directory: PostgreSQL's processes work in it,
 * so they are found by their working directory. A live postmaster is stopped and never adopted:
 * its settings, port and parent are another run's. Only when nothing of it lives any more is
 * `postmaster.pid` removed; it would otherwise stop a start when its pid has since gone to an
 * unrelated process (usual in containers, where pids are small).
 *
 * Without `/proc` only the postmaster that the file names can be stopped, and PostgreSQL's own
 * check of the file decides the rest.
 */
export async function endLeftovers(data: string): Promise<number> {
  const named = await postmasterPid(data);
  if (!canSeeProcesses) {
    if (named !== undefined && isAlive(named)) await endProcesses([named], FAST_THEN_HARD);
    return 0;
  }
  const found = processesIn(data);
  if (named !== undefined && found.includes(named)) await endProcesses([named], FAST_THEN_HARD);
  const stubborn = await endProcesses(processesIn(data), HARD);
  if (stubborn.length > 0) {
    throw new Error(`PostgreSQL processes of an earlier run in ${data} cannot be ended: pids ${stubborn.join(', ')}.`);
  }
  await rm(join(data, 'postmaster.pid'), { force: true });
  return found.length;
}

/** Pids of the PostgreSQL processes that work in this data directory. */
export function processesIn(data: string): number[] {
  const real = realpathSync(data);
  return listProcesses()
    .filter(({ cwd, argv }) => cwd === real && isPostgres(argv))
    .map(({ pid }) => pid);
}

/** The postmaster is named by its path, its children "postgres: …". */
function isPostgres(argv: string[]): boolean {
  const name = argv[0] ?? '';
  return name.startsWith('postgres:') || basename(name) === 'postgres';
}

export interface PostmasterFile {
  pid: number;
  /** Its last line, once it has got that far: "ready" when connections are accepted. */
  status: string;
}

/** Source: PostgreSQL's src/include/utils/pidfile.h (line 1 pid, line 8 status). */
export async function readPostmasterFile(data: string): Promise<PostmasterFile | undefined> {
  const text = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => undefined);
  const lines = text?.split('\n') ?? [];
  const pid = Number(lines[0]);
  return Number.isInteger(pid) && pid > 0 ? { pid, status: lines[7]?.trim() ?? '' } : undefined;
}

async function postmasterPid(data: string): Promise<number | undefined> {
  return (await readPostmasterFile(data))?.pid;
}
