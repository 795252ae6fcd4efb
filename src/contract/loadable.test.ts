import assert from 'node:assert/strict';
import { test } from 'node:test';
import { extensionOf, isLoadable } from './loadable.ts';

const CASES: [filename: string, content_type: string | undefined, loadable: boolean][] = [
  ['titanic.csv', undefined, true],
  ['titanic.CSV.GZ', 'application/gzip', true],
  ['airports.dat', 'application/octet-stream', true],
  ['export', undefined, true],
  ['data.2024', 'application/octet-stream', true],
  ['old.xls', 'application/vnd.ms-excel', true],
  ['sheet.ods', undefined, true],
  ['archive.zip', 'application/zip', true],
  ['data.json', 'text/html', true],
  ['holiday.JPG', undefined, false],
  ['holiday.jpg.gz', undefined, false],
  ['clip.mp4', 'video/mp4', false],
  ['upload', 'image/png', false],
  ['paper.pdf', undefined, false],
  ['page', 'text/html; charset=utf-8', false],
];

for (const [filename, content_type, loadable] of CASES) {
  test(`${filename} (${content_type ?? 'no type'}) is ${loadable ? '' : 'not '}loadable`, () => {
    assert.equal(isLoadable(filename, content_type), loadable);
  });
}

test('the extension is that of the file inside', () => {
  assert.equal(extensionOf('a.b.NDJSON.zst'), 'ndjson');
  assert.equal(extensionOf('a'), '');
  assert.equal(extensionOf('.gz'), '');
});
