import type { Observation, Observations } from './instruments.ts';

/** Files of Linux's /proc as metrics. Source: proc(5). What does not look as it should is left out. */

/** USER_HZ is 100 on every architecture that Node runs on. */
const TICKS = 100;
/** Of /proc/diskstats, whatever the disk's own sectors are. */
const SECTOR = 512;
const CPU_MODES = ['user', 'nice', 'system', 'idle', 'iowait', 'interrupt', 'softirq', 'steal'] as const;

export function cpuTime(text: string): Observations {
  const all = /^cpu +(.+)$/m.exec(text)?.[1]?.split(' ').map(Number) ?? [];
  const cores = text.match(/^cpu\d+ /gm)?.length ?? 0;
  const modes = CPU_MODES.flatMap((mode, index) => {
    const ticks = all[index];
    return ticks === undefined ? [] : [{ value: ticks / TICKS, attributes: { 'cpu.mode': mode } }];
  });
  return { 'system.cpu.time': modes, ...(cores > 0 ? { 'system.cpu.logical.count': cores } : {}) };
}

export function loadAverage(text: string): Observations {
  const [one, five, fifteen] = text.split(' ').map(Number);
  if (one === undefined || five === undefined || fifteen === undefined) return {};
  return {
    'system.cpu.load_average.1m': one,
    'system.cpu.load_average.5m': five,
    'system.cpu.load_average.15m': fifteen,
  };
}

export function memory(text: string): Observations {
  const bytes = (name: string): number | undefined => {
    const found = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1];
    return found === undefined ? undefined : Number(found) * 1024;
  };
  const [total, swap, free] = [bytes('MemTotal'), bytes('SwapTotal'), bytes('SwapFree')];
  return {
    ...(total === undefined ? {} : { 'system.memory.limit': total }),
    ...(swap === undefined || free === undefined
      ? {}
      : {
          'system.paging.usage': [
            { value: swap - free, attributes: { 'system.paging.state': 'used' } },
            { value: free, attributes: { 'system.paging.state': 'free' } },
          ],
        }),
  };
}

/** Partitions, loops and memory disks are parts or copies of what whole disks do. */
const WHOLE_DISK = /^(?:[shv]d[a-z]+|xvd[a-z]+|nvme\d+n\d+|mmcblk\d+)$/;

export function diskIo(text: string): Observations {
  const disks = rowsOf(text).filter(([, , name]) => WHOLE_DISK.test(name ?? ''));
  const io = disks.flatMap(([, , name = '', , , read, , , , written]) => [
    { value: Number(read) * SECTOR, attributes: { 'system.device': name, 'disk.io.direction': 'read' } },
    { value: Number(written) * SECTOR, attributes: { 'system.device': name, 'disk.io.direction': 'write' } },
  ]);
  return { 'system.disk.io': io };
}

/** One end of each container's cable; they come and go, and each would be a series. */
const PASSING = /^(veth|cali|tap|lxc)/;

export function networkIo(text: string): Observations {
  const interfaces = rowsOf(text.replaceAll(':', ' ')).filter(
    ([name = '', received]) => /^\d+$/.test(received ?? '') && !PASSING.test(name),
  );
  const both = (received: number, sent: number): Observation[] =>
    interfaces.flatMap(([name = '', ...figures]) =>
      (
        [
          ['receive', received],
          ['transmit', sent],
        ] as const
      ).map(([direction, index]) => ({
        value: Number(figures[index]),
        attributes: { 'network.interface.name': name, 'network.io.direction': direction },
      })),
    );
  return {
    'system.network.io': both(0, 8),
    'system.network.errors': both(2, 10),
    'system.network.packet.dropped': both(3, 11),
  };
}

export function uptime(text: string): Observations {
  const seconds = Number(text.split(' ', 1)[0] || Number.NaN);
  return Number.isFinite(seconds) ? { 'system.uptime': seconds } : {};
}

export function fileHandles(text: string): Observations {
  const [given] = rowsOf(text)[0] ?? [];
  return given === undefined ? {} : { 'caudal.host.file_descriptors': Number(given) };
}

function rowsOf(text: string): string[][] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
    .map((line) => line.split(/\s+/));
}
