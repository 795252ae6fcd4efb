import assert from 'node:assert/strict';
import test from 'node:test';
import { type Column, widen } from '#contract/columns.ts';
import { CaudalError } from '#kernel/errors.ts';
import fc from '../../../test/support/laws.ts';
import { checkDeclared, foldName, type IncomingColumn, inferSchema, type Schema } from './schema.ts';

const EMPTY: Schema = { columns: [], next_field_id: 1 };
const column = (name: string, type: string, field_id: number, extra: Partial<Column> = {}): Column => ({
  name,
  type,
  nullable: false,
  field_id,
  ...extra,
});

test('the first columns get field ids in their order', () => {
  const resolved = inferSchema(
    EMPTY,
    [
      { name: 'a', type: 'integer', nullable: false },
      { name: 'b', type: 'text', nullable: true },
    ],
    { has_rows: false },
  );
  assert.deepEqual(resolved.columns, [column('a', 'integer', 1), column('b', 'text', 2, { nullable: true })]);
  assert.equal(resolved.next_field_id, 3);
});

test('a later file with more columns widens the table, missing ones become nullable', () => {
  const current = { columns: [column('a', 'integer', 1), column('b', 'date', 2)], next_field_id: 3 };
  const resolved = inferSchema(
    current,
    [
      { name: 'A', type: 'number', nullable: false },
      { name: 'c', type: 'text', nullable: false },
    ],
    { has_rows: true },
  );
  assert.deepEqual(resolved.columns, [
    column('a', 'number', 1),
    column('b', 'date', 2, { nullable: true }),
    column('c', 'text', 3, { nullable: true }),
  ]);
  assert.deepEqual(resolved.physical, [
    { name: 'A', field_id: 1, type: 'number' },
    { name: 'c', field_id: 3, type: 'text' },
  ]);
  assert.deepEqual(resolved.widened, [1]);
});

test('a column without any value does not turn numbers into text, in either order', () => {
  const numbers = { columns: [column('a', 'integer', 1)], next_field_id: 2 };
  const nothing: IncomingColumn = { name: 'a', type: 'text', nullable: true, empty: true };
  assert.equal(inferSchema(numbers, [nothing], { has_rows: true }).columns[0]?.type, 'integer');
  const first = inferSchema(EMPTY, [nothing], { has_rows: false });
  assert.equal(first.columns[0]?.empty, true);
  const second = inferSchema(first, [{ name: 'a', type: 'integer', nullable: false }], { has_rows: true });
  assert.deepEqual(second.columns, [column('a', 'integer', 1, { nullable: true })]);
});

test('names that differ in case only become two columns when one file has both', () => {
  const resolved = inferSchema(
    EMPTY,
    [
      { name: 'x', type: 'text', nullable: false },
      { name: 'X', type: 'text', nullable: false },
    ],
    { has_rows: false },
  );
  assert.deepEqual(
    resolved.columns.map(({ name }) => name),
    ['x', 'X_1'],
  );
});

test('after a replace a name gets its old field id back', () => {
  const known = [column('a', 'integer', 1, { description: 'how many' }), column('b', 'text', 2)];
  const resolved = inferSchema({ columns: [], next_field_id: 3 }, [{ name: 'a', type: 'text', nullable: false }], {
    has_rows: false,
    known,
  });
  assert.deepEqual(resolved.columns, [column('a', 'text', 1, { description: 'how many' })]);
  assert.equal(resolved.next_field_id, 3);
});

test('a declared dataset refuses unknown columns and other types, naming each', () => {
  const current = { columns: [column('a', 'integer', 1)], next_field_id: 2 };
  assert.throws(
    () =>
      checkDeclared(
        current,
        [
          { name: 'a', type: 'text', nullable: false },
          { name: 'z', type: 'text', nullable: false },
        ],
        'd',
      ),
    (error: unknown) =>
      error instanceof CaudalError &&
      error.code === 'schema_mismatch' &&
      error.errors?.map(({ field, code }) => `${field}:${code}`).join() === 'a:wrong_type,z:unknown_column',
  );
});

const incoming = fc.uniqueArray(
  fc.record({
    name: fc.constantFrom('a', 'A', 'b', 'B', 'c', 'é', 'É', 'a_1'),
    type: fc.constantFrom('text', 'integer', 'number', 'decimal(10,2)', 'date', 'timestamp', 'boolean'),
    nullable: fc.boolean(),
    empty: fc.boolean(),
  }),
  { selector: (c) => c.name },
);

test('laws: ids are stable and unique, names are unique, types only widen, resolving again changes nothing', () => {
  fc.assert(
    fc.property(fc.array(incoming, { maxLength: 6 }), (files) => {
      let schema: Schema = EMPTY;
      for (const file of files) {
        const next = inferSchema(schema, file, { has_rows: schema !== EMPTY });
        for (const before of schema.columns) {
          const after = next.columns.find((c) => c.field_id === before.field_id);
          assert.equal(after?.name, before.name);
          if (!before.empty) assert.equal(widen(before.type, after?.type ?? ''), after?.type);
          assert.ok(after?.nullable || !before.nullable);
        }
        assert.equal(new Set(next.columns.map((c) => c.field_id)).size, next.columns.length);
        assert.equal(new Set(next.columns.map((c) => foldName(c.name))).size, next.columns.length);
        assert.ok(next.columns.every((c) => c.field_id < next.next_field_id));
        assert.equal(next.physical.length, file.length);
        assert.equal(new Set(next.physical.map((c) => c.field_id)).size, file.length);
        schema = { columns: next.columns, next_field_id: next.next_field_id };
      }
    }),
  );
});
