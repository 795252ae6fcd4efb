import type { MetricEntry } from '../metric-entry.ts';

/**
 * The machine as a whole, from /proc, by the one process that has the telemetry role. What every process tells of it
 * (CPU, memory, free disk) is in `processes.ts`.
 */
export const HOST = {
  'system.cpu.time': {
    type: 'counter',
    unit: 's',
    description: "CPU time of the machine's cores together, by mode",
    attributes: ['cpu.mode'],
  },
  'system.cpu.logical.count': { type: 'gauge', unit: '{cpu}', description: 'Cores of the machine', attributes: [] },
  'system.cpu.load_average.1m': {
    type: 'gauge',
    unit: '{thread}',
    description: 'Threads that ran or waited, on average of a minute',
    attributes: [],
  },
  'system.cpu.load_average.5m': {
    type: 'gauge',
    unit: '{thread}',
    description: 'The same over five minutes',
    attributes: [],
  },
  'system.cpu.load_average.15m': {
    type: 'gauge',
    unit: '{thread}',
    description: 'The same over a quarter of an hour',
    attributes: [],
  },
  'system.memory.limit': { type: 'gauge', unit: 'By', description: 'Memory of the machine', attributes: [] },
  'system.paging.usage': {
    type: 'gauge',
    unit: 'By',
    description: 'Swap space by state: used, free',
    attributes: ['system.paging.state'],
  },
  'system.disk.io': {
    type: 'counter',
    unit: 'By',
    description: 'Bytes that disks read and wrote',
    attributes: ['system.device', 'disk.io.direction'],
  },
  'system.network.io': {
    type: 'counter',
    unit: 'By',
    description: 'Bytes that network interfaces received and sent',
    attributes: ['network.interface.name', 'network.io.direction'],
  },
  'system.network.errors': {
    type: 'counter',
    unit: '{error}',
    description: 'Packets that were broken',
    attributes: ['network.interface.name', 'network.io.direction'],
  },
  'system.network.packet.dropped': {
    type: 'counter',
    unit: '{packet}',
    description: 'Packets that were dropped although they were whole',
    attributes: ['network.interface.name', 'network.io.direction'],
  },
  'system.uptime': { type: 'gauge', unit: 's', description: 'Since the machine started', attributes: [] },
  'caudal.host.file_descriptors': {
    type: 'gauge',
    unit: '{file_descriptor}',
    description: 'File handles that the kernel has given out',
    attributes: [],
  },
} as const satisfies Record<string, MetricEntry>;
