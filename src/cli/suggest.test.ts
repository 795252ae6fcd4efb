import assert from 'node:assert/strict';
import test from 'node:test';
import { distance, suggest } from './suggest.ts';

test('edits are counted, swapped neighbours as one', () => {
  assert.equal(distance('upload', 'upload'), 0);
  assert.equal(distance('uplaod', 'upload'), 1);
  assert.equal(distance('', 'sql'), 3);
  assert.equal(distance('rows', 'row'), 1);
});

test('the nearest word is suggested, and none when nothing is near', () => {
  const words = ['upload', 'status', 'sql', 'datasets', 'check-config'];
  assert.equal(suggest('stauts', words), 'status');
  assert.equal(suggest('dataset', words), 'datasets');
  assert.equal(suggest('check', words), 'check-config');
  assert.equal(suggest('frobnicate', words), undefined);
});
