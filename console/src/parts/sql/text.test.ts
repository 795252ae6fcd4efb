import assert from 'node:assert/strict';
import test from 'node:test';
import { quoted, sqlPlace } from './text.ts';

test('where a query is wrong: line, column, and the word', () => {
  const query = "SELECT 'ñandú',\n  citi\nFROM orders";
  const { start, end, line, column, text } = sqlPlace(query, query.indexOf('citi'));
  assert.deepEqual([query.slice(start, end), line, column, text], ['citi', 2, 3, '  citi']);
});

test('a place beyond the query is its end', () => {
  assert.deepEqual(sqlPlace('SELECT', 99), { start: 6, end: 6, line: 1, column: 7, text: 'SELECT' });
  assert.deepEqual(sqlPlace('', 0), { start: 0, end: 0, line: 1, column: 1, text: '' });
});

test('names are quoted where SQL wants it', () => {
  assert.deepEqual(['orders', '2025', 'Año', 'a"b'].map(quoted), ['orders', '"2025"', '"Año"', '"a""b"']);
});
