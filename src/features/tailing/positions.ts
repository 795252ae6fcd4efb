import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Position } from './file.ts';

/** A file as it was when its position was kept. */
export interface KeptFile extends Position {
  dev: number;
  ino: number;
}

export interface Positions {
  /** Undefined when this log was never followed. */
  load(): Promise<KeptFile[] | undefined>;
  /** Durable when it resolves. */
  save(files: readonly KeptFile[]): Promise<void>;
}

/** One small file per followed log, replaced at each change: a process that is killed leaves the old one or the new one. */
export function positionsIn(directory: string, path: string): Positions {
  const file = join(directory, `${createHash('sha256').update(path).digest('hex').slice(0, 16)}.json`);
  return {
    async load() {
      const text = await readFile(file, 'utf8').catch(() => undefined);
      if (text === undefined) return undefined;
      try {
        const { files } = JSON.parse(text) as { files: KeptFile[] };
        return files.every(isKept) ? files : undefined;
      } catch {
        return undefined;
      }
    },
    async save(files) {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const handle = await open(`${file}.new`, 'w', 0o600);
      try {
        await handle.writeFile(JSON.stringify({ path, files }));
        await handle.datasync();
      } finally {
        await handle.close();
      }
      await rename(`${file}.new`, file);
    },
  };
}

function isKept({ dev, ino, offset, inLongLine, mark }: KeptFile): boolean {
  const counted = [dev, ino, offset].every((number) => Number.isSafeInteger(number) && number >= 0);
  return counted && typeof inLongLine === 'boolean' && typeof mark === 'string';
}
