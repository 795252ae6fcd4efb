import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** The steps at which a test can stop a process exactly there: between what is durable and what is not yet. */
export const FAULT_POINTS = [
  'upload.part-written',
  'upload.before-rename',
  'upload.before-commit',
  'load.after-read',
  'load.before-commit',
  'load.after-commit',
  'video.after-transcode',
  'video.before-commit',
  'video.after-commit',
  'delete.before-commit',
  'compact.before-commit',
  'replay.before-commit',
  'events.after-append',
  'rows.before-commit',
  'rows.after-commit',
  'drain.after-write',
  'drain.before-commit',
  'drain.after-commit',
  'archive.before-commit',
] as const;
export type FaultPoint = (typeof FAULT_POINTS)[number];

let armed: string | undefined;

/**
 * Names the directory in which faults are laid (`CAUDAL_FAULT_DIR`); nothing is ever laid in production.
 * A file named after a point makes the first process that gets there remove it and then die
 * (`kill`, SIGKILL) or freeze (`stop`, SIGSTOP), as the file says: once, whatever is started again.
 */
export function armFaults(directory: string | undefined): void {
  armed = directory || undefined;
}

/** Costs one comparison when nothing is armed. */
export function faultPoint(point: FaultPoint): void {
  if (armed === undefined) return;
  const file = join(armed, point);
  try {
    const signal = readFileSync(file, 'utf8').trim() === 'stop' ? 'SIGSTOP' : 'SIGKILL';
    rmSync(file);
    process.kill(process.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
