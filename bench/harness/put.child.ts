import { createReadStream } from 'node:fs';
import { request } from 'node:http';
import { finished } from 'node:stream/promises';
import { answer } from './child.ts';

/** Sends parts of a file by PUT, some at a time; a process of its own, the same for whoever receives. */
export interface Puts {
  path: string;
  parts: { url: string; start: number; end: number }[];
  parallel: number;
}

const CHUNK = 1 << 20;

answer<Puts, string[]>(async ({ path, parts, parallel }) => {
  const etags: string[] = new Array(parts.length).fill('');
  let next = 0;
  const sender = async (): Promise<void> => {
    for (let index = next++; index < parts.length; index = next++) {
      const part = parts[index];
      if (part) etags[index] = await put(path, part);
    }
  };
  await Promise.all(Array.from({ length: parallel }, sender));
  return etags;
});

async function put(path: string, { url, start, end }: Puts['parts'][number]): Promise<string> {
  const sending = request(url, { method: 'PUT', headers: { 'content-length': end - start } });
  const answered = new Promise<string>((resolve, reject) => {
    sending.once('error', reject).once('response', (response) => {
      response.resume();
      if ((response.statusCode ?? 500) >= 300) reject(new Error(`PUT answered ${response.statusCode}`));
      else response.once('end', () => resolve(response.headers.etag ?? ''));
    });
  });
  const file = createReadStream(path, { start, end: end - 1, highWaterMark: CHUNK });
  file.pipe(sending);
  await Promise.all([answered, finished(file)]);
  return answered;
}
