import type { MetricEntry } from '../metric-entry.ts';

/** Each process and its machine. */
export const PROCESSES = {
  'process.cpu.time': {
    type: 'counter',
    unit: 's',
    description: 'CPU time of this process',
    attributes: ['cpu.mode'],
  },
  'process.cpu.utilization': {
    type: 'gauge',
    unit: '1',
    description: 'CPU of this process since the last look, over all cores',
    attributes: [],
  },
  'process.memory.usage': {
    type: 'gauge',
    unit: 'By',
    description: 'Resident memory of this process',
    attributes: [],
  },
  'process.unix.file_descriptor.count': {
    type: 'gauge',
    unit: '{file_descriptor}',
    description: 'Open file descriptors of this process',
    attributes: [],
  },
  'process.uptime': { type: 'gauge', unit: 's', description: 'Since this process started', attributes: [] },
  'v8js.memory.heap.used': {
    type: 'gauge',
    unit: 'By',
    description: "Memory in use on V8's heap",
    attributes: [],
  },
  'nodejs.eventloop.delay.p50': {
    type: 'gauge',
    unit: 's',
    description: 'Median delay of the event loop since the last look',
    attributes: [],
  },
  'nodejs.eventloop.delay.p99': {
    type: 'gauge',
    unit: 's',
    description: '99th percentile of the delay of the event loop since the last look',
    attributes: [],
  },
  'nodejs.eventloop.utilization': {
    type: 'gauge',
    unit: '1',
    description: 'Share of the time since the last look in which the event loop was not idle',
    attributes: [],
  },
  'system.cpu.utilization': {
    type: 'gauge',
    unit: '1',
    description: 'CPU of the machine since the last look, over all cores',
    attributes: [],
  },
  'system.memory.utilization': {
    type: 'gauge',
    unit: '1',
    description: "Share of the machine's memory that is not available",
    attributes: [],
  },
  'system.memory.usage': {
    type: 'gauge',
    unit: 'By',
    description: "The machine's memory that is not available",
    attributes: [],
  },
  'caudal.disk.free': {
    type: 'gauge',
    unit: 'By',
    description: 'Free space on the file system of the data directory',
    attributes: [],
  },
  'caudal.disk.utilization': {
    type: 'gauge',
    unit: '1',
    description: 'Used share of the file system of the data directory',
    attributes: [],
  },
} as const satisfies Record<string, MetricEntry>;
