import { appendFileSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

export interface LogFile {
  path: string;
  write(text: string): void;
}

/** Older files that are kept: `api.log.1` is the newest of them. */
const KEPT = 4;

/**
 * Lines appended to a file that is moved aside when it grows past `maxBytes`. Writes are
 * synchronous: a line that was handed over is in the kernel, whatever happens to us next.
 */
export function openLogFile(path: string, maxBytes: number): LogFile {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  let size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return {
    path,
    write(text) {
      const bytes = Buffer.byteLength(text);
      if (size > 0 && size + bytes > maxBytes) {
        rotate(path);
        size = 0;
      }
      appendFileSync(path, text, { mode: 0o600 });
      size += bytes;
    },
  };
}

function rotate(path: string): void {
  rmSync(`${path}.${KEPT}`, { force: true });
  for (let number = KEPT - 1; number >= 1; number -= 1) move(`${path}.${number}`, `${path}.${number + 1}`);
  move(path, `${path}.1`);
}

function move(from: string, to: string): void {
  if (statSync(from, { throwIfNoEntry: false })) renameSync(from, to);
}
