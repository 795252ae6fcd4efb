import assert from 'node:assert/strict';
import test from 'node:test';
import fc from '../../../../test/support/laws.ts';
import { splitFields, splitRecord } from './record.ts';

const CSV = { delimiter: ',', quote: '"', escape: '"' };

const CASES: [raw: string, fields: (string | null)[]][] = [
  ['a,b,c', ['a', 'b', 'c']],
  ['a,,', ['a', null, null]],
  ['', [null]],
  ['"a,b","say ""hi""",""\r\n', ['a,b', 'say "hi"', '']],
  ['"never closed, b', ['never closed, b']],
  ['"a"x,b', ['ax', 'b']],
  ['"line\nbreak",2\n', ['line\nbreak', '2']],
];
for (const [raw, fields] of CASES) {
  test(`splits ${JSON.stringify(raw)}`, () => assert.deepEqual(splitFields(raw, CSV), fields));
}

test('other dialects: several characters, backslashes, no quotes', () => {
  assert.deepEqual(splitFields('a||b', { delimiter: '||', quote: '"', escape: '"' }), ['a', 'b']);
  assert.deepEqual(splitFields("'it\\'s';x", { delimiter: ';', quote: "'", escape: '\\' }), ["it's", 'x']);
  assert.deepEqual(splitFields('"a\t"b', { delimiter: '\t', quote: '', escape: '' }), ['"a', '"b']);
});

test('law: what is written as RFC 4180 comes back', () => {
  const write = (fields: string[]) => fields.map((field) => `"${field.replaceAll('"', '""')}"`).join(',');
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', 'é') }), { minLength: 1 }),
      (fields) => {
        assert.deepEqual(splitFields(write(fields), CSV), fields);
      },
    ),
  );
});

test('JSON records by name or by position; counts and cuts are noticed', () => {
  const of = (raw: string, format: 'csv' | 'json' = 'json') => {
    const { fields, surplus, problem } = splitRecord({ n: 0, line: 1, raw, format }, ['a', 'b'], CSV);
    return { fields, surplus, problem };
  };
  assert.deepEqual(of('{"b": {"x": 1}, "a": "t", "__proto__": 1}'), {
    fields: ['t', '{"x":1}'],
    surplus: 0,
    problem: null,
  });
  assert.deepEqual(of('[1, null, true]'), { fields: ['1', null, 'true'], surplus: 1, problem: null });
  assert.deepEqual(of('{"a": '), { fields: [], surplus: 0, problem: 'not valid JSON' });
  assert.equal(of('x', 'csv').surplus, -1);
  assert.match(of('x'.repeat(65_536), 'csv').problem ?? '', /64 KiB/);
});
