import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attachment, negotiate } from './formats.ts';

test('formats by Accept', () => {
  assert.equal(negotiate(undefined), 'json');
  assert.equal(negotiate('text/html,application/xhtml+xml,*/*;q=0.8'), 'json');
  assert.equal(negotiate('application/json;q=0.5, text/csv'), 'csv');
  assert.throws(() => negotiate('image/png'), /None of the formats/);
  assert.equal(
    attachment('año "1"', 'csv'),
    `attachment; filename="a_o _1_.csv"; filename*=UTF-8''a%C3%B1o%20%221%22.csv`,
  );
});
