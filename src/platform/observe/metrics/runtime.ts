import { readdir, readFile, statfs } from 'node:fs/promises';
import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { observe } from './instruments.ts';

const RESOLUTION_MS = 20;
const NS = 1e9;

/**
 * This process and its machine: CPU, memory, event loop, free disk where `dataDir` is. Shares are since the last
 * look, be it for an export or a scrape.
 */
export function observeRuntime(dataDir: string): () => void {
  const ends = [observeProcess(), observeEventLoop(), observeMachine(dataDir)];
  return () => {
    for (const end of ends) end();
  };
}

function observeProcess(): () => void {
  const cores = availableParallelism();
  let before = { at: performance.now(), cpu: process.cpuUsage() };
  return observe(
    [
      'process.cpu.time',
      'process.cpu.utilization',
      'process.memory.usage',
      'process.unix.file_descriptor.count',
      'process.uptime',
      'v8js.memory.heap.used',
    ],
    async () => {
      const now = { at: performance.now(), cpu: process.cpuUsage() };
      const used = now.cpu.user + now.cpu.system - before.cpu.user - before.cpu.system;
      const passed = (now.at - before.at) * 1000;
      before = now;
      const { rss, heapUsed } = process.memoryUsage();
      const descriptors = await readdir('/proc/self/fd').catch(() => undefined);
      return {
        'process.cpu.time': [
          { value: now.cpu.user / 1e6, attributes: { 'cpu.mode': 'user' } },
          { value: now.cpu.system / 1e6, attributes: { 'cpu.mode': 'system' } },
        ],
        ...(passed > 0 ? { 'process.cpu.utilization': used / passed / cores } : {}),
        'process.memory.usage': rss,
        // Without the one that the look itself needs.
        ...(descriptors ? { 'process.unix.file_descriptor.count': descriptors.length - 1 } : {}),
        'process.uptime': process.uptime(),
        'v8js.memory.heap.used': heapUsed,
      };
    },
  );
}

function observeEventLoop(): () => void {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  let before = performance.eventLoopUtilization();
  const end = observe(
    ['nodejs.eventloop.delay.p50', 'nodejs.eventloop.delay.p99', 'nodejs.eventloop.utilization'],
    () => {
      const { utilization } = performance.eventLoopUtilization(before);
      before = performance.eventLoopUtilization();
      // The monitor counts its own timer: an idle loop shows the resolution.
      const late = (percentile: number) => Math.max(0, delay.percentile(percentile) / NS - RESOLUTION_MS / 1000);
      const seen = delay.count > 0;
      const observed = {
        ...(seen ? { 'nodejs.eventloop.delay.p50': late(50), 'nodejs.eventloop.delay.p99': late(99) } : {}),
        'nodejs.eventloop.utilization': utilization,
      };
      delay.reset();
      return observed;
    },
  );
  return () => {
    delay.disable();
    end();
  };
}

function observeMachine(dataDir: string): () => void {
  let before = cpuTimes();
  return observe(
    [
      'system.cpu.utilization',
      'system.memory.utilization',
      'system.memory.usage',
      'caudal.disk.free',
      'caudal.disk.utilization',
    ],
    async () => {
      const now = cpuTimes();
      const passed = now.all - before.all;
      const idle = now.idle - before.idle;
      before = now;
      const [available, disk] = await Promise.all([availableMemory(), statfs(dataDir).catch(() => undefined)]);
      const total = totalmem();
      return {
        ...(passed > 0 ? { 'system.cpu.utilization': 1 - idle / passed } : {}),
        'system.memory.usage': total - available,
        'system.memory.utilization': 1 - available / total,
        ...(disk
          ? {
              'caudal.disk.free': disk.bavail * disk.bsize,
              'caudal.disk.utilization': 1 - disk.bavail / disk.blocks,
            }
          : {}),
      };
    },
  );
}

function cpuTimes(): { all: number; idle: number } {
  let all = 0;
  let idle = 0;
  for (const { times } of cpus()) {
    all += times.user + times.nice + times.sys + times.idle + times.irq;
    idle += times.idle;
  }
  return { all, idle };
}

/** What the kernel could give without swapping; `freemem` counts the page cache as used. */
async function availableMemory(): Promise<number> {
  try {
    const found = /^MemAvailable:\s+(\d+) kB/m.exec(await readFile('/proc/meminfo', 'utf8'));
    return found ? Number(found[1]) * 1024 : freemem();
  } catch {
    return freemem();
  }
}
