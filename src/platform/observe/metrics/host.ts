import { readFile } from 'node:fs/promises';
import { HOST } from '#contract/measured/host.ts';
import { type Observations, observe } from './instruments.ts';
import { cpuTime, diskIo, fileHandles, loadAverage, memory, networkIo, uptime } from './proc.ts';

/** Where the figures are, and how a file becomes some of them. */
const SOURCES: Readonly<Record<string, (text: string) => Observations>> = {
  '/proc/stat': cpuTime,
  '/proc/loadavg': loadAverage,
  '/proc/meminfo': memory,
  '/proc/diskstats': diskIo,
  // Of this process's network namespace: in a container its own interfaces.
  '/proc/net/dev': networkIo,
  '/proc/uptime': uptime,
  '/proc/sys/fs/file-nr': fileHandles,
};

/** The machine as a whole; where there is no /proc, or no such file in it, nothing is reported. @returns how to end it */
export function observeHost(read = (path: string): Promise<string> => readFile(path, 'utf8')): () => void {
  return observe(Object.keys(HOST) as (keyof typeof HOST)[], async () => {
    const seen = Object.entries(SOURCES).map(async ([path, parse]) => {
      const text = await read(path).catch(() => undefined);
      return text === undefined ? {} : parse(text);
    });
    return Object.assign({}, ...(await Promise.all(seen)));
  });
}
