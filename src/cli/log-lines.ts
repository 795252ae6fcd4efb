import { statSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

const LOOK_EVERY_MS = 200;

/** Lines that are appended from now on, through rotation, until `signal` aborts. */
export async function followFile(path: string, signal: AbortSignal, line: (text: string) => void): Promise<void> {
  // Before the first wait: what is appended after this call counts.
  const now = statSync(path, { throwIfNoEntry: false });
  let inode = now?.ino;
  let position = now?.size ?? 0;
  let rest = '';
  while (!signal.aborted) {
    const found = await stat(path).catch(() => undefined);
    if (found && (found.ino !== inode || found.size < position)) {
      inode = found.ino;
      position = 0;
    }
    if (found && found.size > position) {
      const handle = await open(path, 'r');
      try {
        const buffer = Buffer.alloc(Math.min(found.size - position, 1 << 20));
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
        position += bytesRead;
        rest += buffer.toString('utf8', 0, bytesRead);
      } finally {
        await handle.close();
      }
      const lines = rest.split('\n');
      rest = lines.pop() ?? '';
      for (const text of lines) line(text);
    }
    await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}
