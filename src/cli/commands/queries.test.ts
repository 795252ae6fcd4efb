import assert from 'node:assert/strict';
import test from 'node:test';
import { condition } from './rows.ts';
import { parameters } from './sql.ts';

test('conditions become the operators of the API', () => {
  assert.deepEqual(condition('city=Bogotá'), ['where[city][eq]', 'Bogotá']);
  assert.deepEqual(condition('stars>=4'), ['where[stars][gte]', '4']);
  assert.deepEqual(condition('stars<4'), ['where[stars][lt]', '4']);
  assert.deepEqual(condition('city!=a=b'), ['where[city][ne]', 'a=b']);
  assert.deepEqual(condition('name~%ana%'), ['where[name][like]', '%ana%']);
  assert.deepEqual(condition('city='), ['where[city][is_null]', 'true']);
  assert.throws(() => condition('city'), /is no condition/);
});

test('parameters are named or in turn, and numbers only where they are numbers', () => {
  assert.deepEqual(parameters([]), {});
  assert.deepEqual(parameters(['7', '1.5', 'true', 'null', '007', 'Bogotá']), {
    params: [7, 1.5, true, null, '007', 'Bogotá'],
  });
  assert.deepEqual(parameters(['city=Bogotá', 'least=4']), { params: { city: 'Bogotá', least: 4 } });
  assert.deepEqual(parameters(['a=1', 'b c']), { params: ['a=1', 'b c'] });
});
