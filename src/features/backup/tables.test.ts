import assert from 'node:assert/strict';
import test from 'node:test';
import { needsDatabase, testDatabase } from '../../../test/support/database.ts';
import fc from '../../../test/support/laws.ts';
import { catalogueTables, inOrder, OBJECT_OWNERS, TABLE_RULES } from './tables.ts';

test('a table comes after all that it refers to', () => {
  const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 3 }), { maxLength: 12 });
  fc.assert(
    fc.property(names, fc.infiniteStream(fc.boolean()), fc.nat(), (tables, refers, turn) => {
      // References only from later to earlier, so there is no circle; then in any order.
      const needs = new Map(tables.map((name, at) => [name, tables.slice(0, at).filter(() => refers.next().value)]));
      const shuffled = [...tables.slice(turn % (tables.length || 1)), ...tables.slice(0, turn % (tables.length || 1))];
      const ordered = inOrder(
        shuffled.map((name) => ({ name })),
        needs,
      ).map(({ name }) => name);
      assert.deepEqual([...ordered].sort(), [...tables].sort());
      for (const [name, needed] of needs) {
        for (const other of needed) assert.ok(ordered.indexOf(other) < ordered.indexOf(name));
      }
    }),
  );
});

test('a circle is an error that names it', () => {
  const needs = new Map([
    ['a', ['b']],
    ['b', ['a']],
  ]);
  assert.throws(() => inOrder([{ name: 'a' }, { name: 'b' }], needs), /circle: a → b/);
});

test('the rules know the schema: every table they name, every column that names an object', {
  skip: needsDatabase,
}, async () => {
  const { pool } = await testDatabase();
  const client = await pool.connect();
  try {
    const tables = await catalogueTables(client);
    const names = tables.map(({ name }) => name);
    assert.ok(names.length > 15);
    for (const name of [...Object.keys(TABLE_RULES), ...OBJECT_OWNERS.map(({ table }) => table)]) {
      assert.ok(names.includes(name), `there is no table ${name}`);
    }
    const kept = tables.filter(({ name }) => TABLE_RULES[name]?.keep !== false);
    const holders = kept.filter(({ columns }) => columns.includes('object_key')).map(({ name }) => name);
    assert.deepEqual(holders.sort(), OBJECT_OWNERS.map(({ table }) => table).sort());
    assert.equal(names.includes('schema_migrations'), false);
  } finally {
    client.release();
  }
});
