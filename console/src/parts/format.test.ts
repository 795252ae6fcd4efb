import assert from 'node:assert/strict';
import test from 'node:test';
import i18next from 'i18next';
import { formatBytes, formatDuration, formatNumber, formatTimestamp, formatValue } from './format.ts';

async function language(lng: string): Promise<void> {
  await i18next.init({ lng, resources: {} });
}

test('sizes in decimal units, three figures at most', async () => {
  await language('en');
  const sizes: [bytes: number, text: string][] = [
    [0, '0 B'],
    [999, '999 B'],
    [1_000, '1 kB'],
    [1_449_999, '1.4 MB'],
    [31_000_000, '31 MB'],
    [999_999, '1 MB'],
    [10_000_000_000, '10 GB'],
    [5e15, '5,000 TB'],
  ];
  for (const [bytes, text] of sizes) assert.equal(formatBytes(bytes), text);
});

test('durations as people read them', async () => {
  await language('en');
  const durations: [ns: number, text: string][] = [
    [0, '0 ms'],
    [412_000, '0.41 ms'],
    [9_960_000, '10 ms'],
    [38_400_000, '38 ms'],
    [999_600_000, '1 s'],
    [1_254_000_000, '1.25 s'],
    [125_000_000_000, '2 min 5 s'],
  ];
  for (const [ns, text] of durations) assert.equal(formatDuration(ns), text);
});

test('numbers follow the language', async () => {
  await language('es');
  assert.equal(formatNumber(1_234_567.5), '1.234.567,5');
  assert.equal(formatBytes(1_449_999), '1,4 MB');
  await language('en');
  assert.equal(formatNumber(1_234_567.5), '1,234,567.5');
});

test('timestamps as a table shows them; what is none stays as it is', () => {
  assert.equal(formatTimestamp('2025-01-01T00:05:00Z'), '2025-01-01 00:05:00');
  assert.equal(formatTimestamp('2025-01-01T00:05:00.000Z'), '2025-01-01 00:05:00');
  assert.equal(formatTimestamp('2025-01-01T00:05:00.120Z'), '2025-01-01 00:05:00.120');
  assert.equal(formatTimestamp('Tuesday'), 'Tuesday');
});

test('values of every kind as text', () => {
  assert.deepEqual([null, undefined, 0, false, 'x', { a: [1] }].map(formatValue), [
    '',
    '',
    '0',
    'false',
    'x',
    '{"a":[1]}',
  ]);
});
