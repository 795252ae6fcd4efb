import { appendFileSync, copyFileSync, mkdirSync, renameSync, rmSync, statSync, truncateSync } from 'node:fs';
import { dirname } from 'node:path';

export interface LogFile {
  path: string;
  write(text: string): void;
}

/** When a file is moved aside; four older ones are kept. */
export interface RotationLimits {
  bytes: number;
  /** In ms. */
  age: number;
}

/** Older files that are kept: `api.log.1` is the newest of them. */
const KEPT = 4;

/**
 * Lines appended to a file that is moved aside when it grows past a size or an age. Writes are synchronous: a line that
 * was handed over is in the kernel, whatever happens to us next.
 */
export function openLogFile(path: string, limits: RotationLimits, now = Date.now): LogFile {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const found = statSync(path, { throwIfNoEntry: false });
  let size = found?.size ?? 0;
  let begun = found?.birthtimeMs || now();
  return {
    path,
    write(text) {
      const bytes = Buffer.byteLength(text);
      if (size > 0 && (size + bytes > limits.bytes || now() - begun > limits.age)) {
        makeRoom(path);
        renameSync(path, `${path}.1`);
        size = 0;
      }
      if (size === 0) begun = now();
      appendFileSync(path, text, { mode: 0o600 });
      size += bytes;
    },
  };
}

/**
 * The same for a file that another process holds open for appending and will not open again. It is copied and
 * truncated, so a line that comes between the two calls is lost. Rejected: PostgreSQL's own logging collector (one more
 * process, and what it says before that starts goes elsewhere), and a pipe (the server would die with us of SIGPIPE).
 */
export function rotateHeldOpen(path: string, limits: RotationLimits, now = Date.now()): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found || found.size === 0) return false;
  const begun = statSync(`${path}.1`, { throwIfNoEntry: false })?.mtimeMs ?? (found.birthtimeMs || now);
  if (found.size <= limits.bytes && now - begun <= limits.age) return false;
  makeRoom(path);
  copyFileSync(path, `${path}.1`);
  truncateSync(path);
  return true;
}

function makeRoom(path: string): void {
  rmSync(`${path}.${KEPT}`, { force: true });
  for (let number = KEPT - 1; number >= 1; number -= 1) {
    if (statSync(`${path}.${number}`, { throwIfNoEntry: false }))
      renameSync(`${path}.${number}`, `${path}.${number + 1}`);
  }
}
