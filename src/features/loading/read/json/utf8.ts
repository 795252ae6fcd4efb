import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { newId } from '#kernel/ids.ts';
import { readHead } from '../open/magic.ts';
import type { OpenedFile } from '../reader.ts';

/** Where the UTF-8 of a file is, behind its byte order mark. UTF-16 with a mark (PowerShell writes it) is transcoded. */
export async function utf8Source(file: OpenedFile, temp_dir: string): Promise<{ path: string; start: number }> {
  const head = await readHead(file.path, 4);
  if (head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf) return { path: file.path, start: 3 };
  const little = head[0] === 0xff && head[1] === 0xfe;
  const big = head[0] === 0xfe && head[1] === 0xff;
  if (!little && !big) return { path: file.path, start: 0 };
  const path = join(temp_dir, newId());
  const decoder = new TextDecoder(little ? 'utf-16le' : 'utf-16be');
  await pipeline(
    createReadStream(file.path),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) yield decoder.decode(chunk, { stream: true });
      yield decoder.decode();
    },
    createWriteStream(path, { flags: 'wx', mode: 0o600 }),
  );
  return { path, start: 0 };
}
