import { open } from 'node:fs/promises';

const CHUNK = 64 * 1024;

/** The last `count` lines of a file, read from its end: a large log costs no more than a small one. */
export async function lastLines(path: string, count: number): Promise<string[]> {
  const handle = await open(path, 'r').catch(() => undefined);
  if (!handle) return [];
  try {
    let position = (await handle.stat()).size;
    let tail = Buffer.alloc(0);
    while (position > 0 && newlines(tail) <= count) {
      const length = Math.min(CHUNK, position);
      position -= length;
      const chunk = Buffer.alloc(length);
      await handle.read(chunk, 0, length, position);
      tail = Buffer.concat([chunk, tail]);
    }
    const lines = tail.toString('utf8').split('\n');
    if (lines.at(-1) === '') lines.pop();
    return count === 0 ? [] : lines.slice(-count);
  } finally {
    await handle.close();
  }
}

function newlines(buffer: Buffer): number {
  let found = 0;
  for (const byte of buffer) if (byte === 10) found += 1;
  return found;
}
