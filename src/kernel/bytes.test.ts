import assert from 'node:assert/strict';
import test from 'node:test';
import { formatBytes, parseBytes } from './bytes.ts';

test('sizes are written as people read them', () => {
  assert.equal(formatBytes(0), '0 B');
  assert.equal(formatBytes(999), '999 B');
  assert.equal(formatBytes(31_457_280), '31.5 MB');
  assert.equal(formatBytes(999_600), '1.00 MB');
});

test('sizes are read with decimal and binary units, and nothing else', () => {
  assert.equal(parseBytes('256MiB'), 256 * 2 ** 20);
  assert.equal(parseBytes('1.5 GB'), 1.5e9);
  assert.equal(parseBytes('12'), 12);
  assert.equal(parseBytes('12 apples'), undefined);
  assert.equal(parseBytes('-1'), undefined);
});
