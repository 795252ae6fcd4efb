import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '../../../test/support/laws.ts';
import { type Page, pagesOf, rangesOf } from './pages.ts';

test('pages hold every row once, and each group knows its own', () => {
  const groups = fc.array(fc.record({ rows: fc.integer({ min: 0, max: 30 }) }), { maxLength: 20 });
  fc.assert(
    fc.property(groups, fc.integer({ min: 1, max: 12 }), fc.boolean(), (list, most, each) => {
      const all = list.reduce((sum, { rows }) => sum + rows, 0);
      const titles = each
        ? list.map(({ rows }, index) => ({ title: `g${index}`, rows }))
        : [{ title: 'all', rows: all }];
      const pages: Page[] = pagesOf(titles, most).map((page, index) => ({ ...page, sheet: `s${index}` }));
      let next = 0;
      for (const { from, to } of pages) {
        assert.equal(from, next);
        assert.ok(to - from <= most && to >= from);
        next = to;
      }
      assert.equal(next, all);
      const rows = rangesOf(list, pages).map((ranges) =>
        ranges.flatMap(({ sheet, first, last }) => {
          const page = pages.find((one) => one.sheet === sheet);
          return Array.from({ length: last - first + 1 }, (_, index) => (page?.from ?? -1) + first - 2 + index);
        }),
      );
      assert.deepEqual(
        rows.map((numbers) => numbers.length),
        list.map((group) => group.rows),
      );
      assert.deepEqual(
        rows.flat(),
        Array.from({ length: all }, (_, index) => index),
      );
    }),
  );
});

test('a group that goes on on the next sheet has two ranges', () => {
  const pages = pagesOf([{ title: 'Detail', rows: 5 }], 3).map((page, index) => ({
    ...page,
    sheet: `Detail ${index + 1}`,
  }));
  assert.deepEqual(rangesOf([{ rows: 2 }, { rows: 3 }], pages), [
    [{ sheet: 'Detail 1', first: 2, last: 3 }],
    [
      { sheet: 'Detail 1', first: 4, last: 4 },
      { sheet: 'Detail 2', first: 2, last: 3 },
    ],
  ]);
  assert.deepEqual(pagesOf([{ title: 'Detail', rows: 0 }], 3), [{ title: 'Detail', from: 0, to: 0 }]);
});
