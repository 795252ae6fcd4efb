import assert from 'node:assert/strict';
import test from 'node:test';
import fc from '../../../test/support/laws.ts';
import { contentDisposition, safeContentType, shortFilename } from './disposition.ts';

test('a plain name is written plainly, another one in both codings', () => {
  assert.equal(contentDisposition('attachment', 'a b.csv'), 'attachment; filename="a b.csv"');
  assert.equal(
    contentDisposition('attachment', "año's.csv"),
    `attachment; filename="a_o's.csv"; filename*=UTF-8''a%C3%B1o%27s.csv`,
  );
  assert.equal(
    contentDisposition('inline', '../x"y\\z'),
    `inline; filename=".._x_y_z"; filename*=UTF-8''..%2Fx%22y%5Cz`,
  );
  assert.equal(contentDisposition('attachment', '\u202e'), 'attachment; filename="download"');
});

test('no name breaks out of the header, and a well-formed one comes back from filename*', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (name) => {
      const header = contentDisposition('attachment', name);
      assert.match(header, /^attachment; filename="[^"\\/\r\n]*"(; filename\*=UTF-8''[\w.!#$&+^`|~%-]+)?$/);
      assert.ok(header.length < 4000);
      const extended = /filename\*=UTF-8''(.*)$/.exec(header)?.[1];
      if (extended) assert.equal(decodeURIComponent(extended), shortFilename(name).trim());
    }),
  );
});

test('a long name keeps its ending', () => {
  const short = shortFilename(`${'x'.repeat(10_000)}.csv.gz`);
  assert.equal([...short].length, 150);
  assert.ok(short.endsWith('….gz'), short);
});

test('a content type is what it says or just bytes', () => {
  assert.equal(safeContentType('text/csv; charset=utf-8'), 'text/csv; charset=utf-8');
  for (const bad of ['', null, undefined, 'text', 'text/csv\r\nX: y', 'text/csv; a=\u0000']) {
    assert.equal(safeContentType(bad), 'application/octet-stream');
  }
});
