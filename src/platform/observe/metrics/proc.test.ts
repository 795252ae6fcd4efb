import assert from 'node:assert/strict';
import test from 'node:test';
import { cpuTime, diskIo, fileHandles, loadAverage, memory, networkIo, uptime } from './proc.ts';

test('/proc/stat: seconds by mode, and cores', () => {
  const { 'system.cpu.time': time, ...rest } = cpuTime(
    'cpu  1000 200 300 4000 50 6 7 8 0 0\ncpu0 1 2 3\ncpu1 1 2 3\nintr 1\n',
  );
  assert.deepEqual(rest, { 'system.cpu.logical.count': 2 });
  assert.ok(Array.isArray(time));
  assert.deepEqual(
    time.map(({ value, attributes }) => [attributes?.['cpu.mode'], value]),
    [
      ...[
        ['user', 10],
        ['nice', 2],
        ['system', 3],
        ['idle', 40],
      ],
      ...[
        ['iowait', 0.5],
        ['interrupt', 0.06],
        ['softirq', 0.07],
        ['steal', 0.08],
      ],
    ],
  );
});

test('/proc/loadavg, /proc/meminfo, /proc/uptime, /proc/sys/fs/file-nr', () => {
  assert.deepEqual(loadAverage('0.5 1.25 2.0 1/200 4321\n'), {
    'system.cpu.load_average.1m': 0.5,
    'system.cpu.load_average.5m': 1.25,
    'system.cpu.load_average.15m': 2,
  });
  assert.deepEqual(memory('MemTotal:   2048 kB\nSwapTotal: 10 kB\nSwapFree:  4 kB\n'), {
    'system.memory.limit': 2048 * 1024,
    'system.paging.usage': [
      { value: 6 * 1024, attributes: { 'system.paging.state': 'used' } },
      { value: 4 * 1024, attributes: { 'system.paging.state': 'free' } },
    ],
  });
  assert.deepEqual(uptime('12.5 20.0\n'), { 'system.uptime': 12.5 });
  assert.deepEqual(fileHandles('1024\t0\t9223372036854775807\n'), { 'caudal.host.file_descriptors': 1024 });
});

test('/proc/diskstats: whole disks, in bytes', () => {
  const text = [
    '   8       0 sda 10 1 2 3 20 4 8 5 0 6 7',
    '   8       1 sda1 10 1 2 3 20 4 8 5 0 6 7',
    '   7       0 loop0 10 1 2 3 20 4 8 5 0 6 7',
    ' 259       0 nvme0n1 10 1 4 3 20 4 16 5 0 6 7',
  ].join('\n');
  assert.deepEqual(diskIo(text), {
    'system.disk.io': [
      { value: 1024, attributes: { 'system.device': 'sda', 'disk.io.direction': 'read' } },
      { value: 4096, attributes: { 'system.device': 'sda', 'disk.io.direction': 'write' } },
      { value: 2048, attributes: { 'system.device': 'nvme0n1', 'disk.io.direction': 'read' } },
      { value: 8192, attributes: { 'system.device': 'nvme0n1', 'disk.io.direction': 'write' } },
    ],
  });
});

test('/proc/net/dev: both directions of lasting interfaces', () => {
  const text = [
    'Inter-|   Receive                                                |  Transmit',
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
    '  eth0:100 2 3 4 0 0 0 0 500 6 7 8 0 0 0 0',
    'veth12: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0',
  ].join('\n');
  const of = (receive: number, transmit: number) => [
    { value: receive, attributes: { 'network.interface.name': 'eth0', 'network.io.direction': 'receive' } },
    { value: transmit, attributes: { 'network.interface.name': 'eth0', 'network.io.direction': 'transmit' } },
  ];
  assert.deepEqual(networkIo(text), {
    'system.network.io': of(100, 500),
    'system.network.errors': of(3, 7),
    'system.network.packet.dropped': of(4, 8),
  });
});

test('what does not look like it is left out', () => {
  for (const parse of [loadAverage, memory, uptime, fileHandles]) assert.deepEqual(parse(''), {});
  for (const parse of [cpuTime, diskIo, networkIo]) assert.deepEqual(Object.values(parse('')).flat(), []);
});
