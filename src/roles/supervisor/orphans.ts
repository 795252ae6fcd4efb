import { readFileSync } from 'node:fs';
import { endProcesses, listProcesses, type ProcessInfo } from '#platform/process/processes.ts';

/** In the environment of everything a supervisor starts: its own pid. */
export const SUPERVISED = 'CAUDAL_SUPERVISED';
/** What it calls a process, such as `worker-2`; kept over restarts. */
export const PROCESS_NAME = 'CAUDAL_PROCESS_NAME';

/**
 * Processes that a killed supervisor of this data directory left behind: they carry its mark and
 * the directory in their environment. What somebody started by hand with `caudal serve` on the
 * same directory carries no mark and is left alone. Only for the holder of the lock: nobody else
 * can then be their living supervisor.
 */
export function findOrphans(dataDir: string): ProcessInfo[] {
  return listProcesses().filter(({ pid }) => {
    if (pid === process.pid) return false;
    const environment = environmentOf(pid);
    return environment.has(SUPERVISED) && environment.get('CAUDAL_DATA_DIR') === dataDir;
  });
}

function environmentOf(pid: number): Map<string, string> {
  try {
    const entries = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    return new Map(entries.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]));
  } catch {
    return new Map();
  }
}

/** Ends them: a moment to drain, then SIGKILL. @returns how many there were. */
export async function endOrphans(dataDir: string): Promise<number> {
  const orphans = findOrphans(dataDir).map(({ pid }) => pid);
  const stubborn = await endProcesses(orphans, [
    { signal: 'SIGTERM', wait: 1_000 },
    { signal: 'SIGKILL', wait: 5_000 },
  ]);
  if (stubborn.length > 0) {
    throw new Error(`Processes of an earlier run cannot be ended: pids ${stubborn.join(', ')}.`);
  }
  return orphans.length;
}
