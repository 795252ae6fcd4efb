import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CaudalError } from '#kernel/errors.ts';
import { type ReadBack, type ReadFileOptions, readBytesBack } from '../../../../../test/support/read-file.ts';

async function read(text: Buffer | string, filename = 'x.json', settings?: ReadFileOptions): Promise<ReadBack> {
  const tables = await readBytesBack(text, filename, settings);
  assert.equal(tables.length, 1);
  return tables[0] as ReadBack;
}

interface Case {
  what: string;
  text: string;
  types: Record<string, string>;
  rows: Record<string, unknown>[];
  lines?: number[];
  skipped?: string[];
}

const CASES: Case[] = [
  {
    what: 'an array of objects: rows, with the line each begins on',
    text: '[\n{"a": 1, "b": "x"},\n\n{"b": "y", "c": true}\n]',
    types: { a: 'integer', b: 'text', c: 'boolean' },
    rows: [
      { a: '1', b: 'x', c: null },
      { a: null, b: 'y', c: true },
    ],
    lines: [2, 4],
  },
  {
    what: 'records on one line: numbered',
    text: '[{"a": 1}, {"a": 2}]',
    types: { a: 'integer' },
    rows: [{ a: '1' }, { a: '2' }],
    lines: [1, 2],
  },
  {
    what: 'an object of arrays: columns',
    text: '{"a": [1, 2], "b": ["x", null]}',
    types: { a: 'integer', b: 'text' },
    rows: [
      { a: '1', b: 'x' },
      { a: '2', b: null },
    ],
  },
  {
    what: "pandas' orient=columns",
    text: '{"id": {"0": 7, "1": 8}, "name": {"0": "Ana", "1": "Luis"}}',
    types: { id: 'integer', name: 'text' },
    rows: [
      { id: '7', name: 'Ana' },
      { id: '8', name: 'Luis' },
    ],
  },
  {
    what: "pandas' orient=index; keys that say something are kept",
    text: '{"2019": {"sales": 1}, "2020": {"sales": 2.5}}',
    types: { key: 'integer', sales: 'number' },
    rows: [
      { key: '2019', sales: 1 },
      { key: '2020', sales: 2.5 },
    ],
  },
  {
    what: 'a wrapper: its rows; what stands beside them is told',
    text: '{"status": "ok", "data": [{"a": 1}], "page": {"next": null}}',
    types: { a: 'integer' },
    rows: [{ a: '1' }],
    skipped: ['beside the rows, not part of them: status, page'],
  },
  {
    what: 'an empty wrapper: no rows',
    text: '{"data": [], "total": 0}',
    types: {},
    rows: [],
    skipped: ['beside the rows, not part of them: total'],
  },
  {
    what: 'a wrapper in a wrapper',
    text: '{"response": {"items": [{"a": 1}, {"a": 2}]}}',
    types: { a: 'integer' },
    rows: [{ a: '1' }, { a: '2' }],
  },
  {
    what: 'a single object: one row',
    text: '{"name": "Ana", "children": [{"name": "Luis"}], "home": {"city": "Cali"}}',
    types: { name: 'text', children: 'json', 'home.city': 'text' },
    rows: [{ name: 'Ana', children: '[{"name":"Luis"}]', 'home.city': 'Cali' }],
  },
  {
    what: 'nested objects: one level of stable ones is columns, deeper is JSON',
    text: '[{"p": {"x": 1, "y": {"z": [1, 2]}}}, {"p": {"x": 2}}, {"p": null}]',
    types: { 'p.x': 'integer', 'p.y': 'json' },
    rows: [
      { 'p.x': '1', 'p.y': '{"z":[1,2]}' },
      { 'p.x': '2', 'p.y': null },
      { 'p.x': null, 'p.y': null },
    ],
  },
  {
    what: 'a member that is now an object, now a scalar: JSON throughout',
    text: '[{"v": {"a": 1}}, {"v": "text"}, {"v": 1.10}, {"v": null}]',
    types: { v: 'json' },
    rows: [{ v: '{"a":1}' }, { v: '"text"' }, { v: '1.10' }, { v: null }],
  },
  {
    what: 'scalars: one column',
    text: '[1, null, 2]',
    types: { value: 'integer' },
    rows: [{ value: '1' }, { value: null }, { value: '2' }],
  },
  { what: 'a lonely scalar: one row', text: ' "x" ', types: { value: 'text' }, rows: [{ value: 'x' }] },
  { what: 'an empty array: no rows', text: '[]', types: {}, rows: [] },
  {
    what: 'records without fields still count',
    text: '[{}, {}]',
    types: { value: 'text' },
    rows: [{ value: null }, { value: null }],
  },
  {
    what: 'arrays under a header',
    text: '[["id", "name"], [1, "Ana"], [2, "Luis"]]',
    types: { id: 'integer', name: 'text' },
    rows: [
      { id: '1', name: 'Ana' },
      { id: '2', name: 'Luis' },
    ],
  },
  {
    what: 'arrays without one',
    text: '[[1, "a"], [2]]',
    types: { column0: 'integer', column1: 'text' },
    rows: [
      { column0: '1', column1: 'a' },
      { column0: '2', column1: null },
    ],
  },
  {
    what: 'GeoJSON: features, their properties columns',
    text: '{"type": "FeatureCollection", "features": [{"type": "Feature", "id": 7, "properties": {"name": "Cali", "id": "c"}, "geometry": {"type": "Point", "coordinates": [-76.53, 3.42]}}]}',
    types: { id: 'integer', name: 'text', 'properties.id': 'text', geometry: 'json' },
    rows: [{ id: '7', name: 'Cali', 'properties.id': 'c', geometry: '{"type":"Point","coordinates":[-76.53,3.42]}' }],
  },
  {
    what: 'digits beyond a double',
    text: '[{"i": 9007199254740993, "u": 18446744073709551615, "d": 1234567890123456.789, "x": 1e400}]',
    types: { i: 'integer', u: 'decimal(20,0)', d: 'decimal(19,3)', x: 'text' },
    rows: [{ i: '9007199254740993', u: '18446744073709551615', d: '1234567890123456.789', x: '1e400' }],
  },
  {
    what: 'instants in UTC',
    text: '[{"t": "2024-01-01T00:30:00+02:00"}, {"t": "2024-01-01 00:30"}]',
    types: { t: 'timestamp' },
    rows: [{ t: '2023-12-31 22:30:00' }, { t: '2024-01-01 00:30:00' }],
  },
  {
    what: 'keys that are twice, differ by case, are empty or the system’s',
    text: '{"a": 1, "a": 2, "A": 3, "": 4, "_line": 5, "_LINE": 6}',
    types: { a: 'integer', A_1: 'integer', column2: 'integer', _line_1: 'integer', _LINE_2: 'integer' },
    rows: [{ a: '2', A_1: '3', column2: '4', _line_1: '5', _LINE_2: '6' }],
    skipped: ['the key “a” occurs twice: its last value counts'],
  },
  {
    what: 'texts with every kind of trouble',
    text: '[{"t": "a,\\"b\\"\\r\\n\\u0000\\u001f€"}, {"t": ""}]',
    types: { t: 'text' },
    rows: [{ t: 'a,"b"\r\n\0\x1f€' }, { t: '' }],
  },
];

for (const { what, text, types, rows, lines, skipped = [] } of CASES) {
  test(what, async () => {
    const result = await read(text);
    assert.deepEqual(result.types, types);
    assert.deepEqual(result.rows, rows);
    if (lines) assert.deepEqual(result.lines, lines);
    assert.deepEqual(
      result.table.accounting.skipped.map(({ why }) => why),
      skipped,
    );
  });
}

test('`__proto__` is a name like any other', async () => {
  const { table } = await read('[{"__proto__": {"x": 1}, "constructor": 2}]');
  assert.deepEqual(
    table.columns.map(({ name, type }) => ({ name, type })),
    [
      { name: '__proto__.x', type: 'integer' },
      { name: 'constructor', type: 'integer' },
    ],
  );
});

test('UTF-16 with a byte order mark is transcoded', async () => {
  assert.deepEqual((await read(Buffer.from('\ufeff[{"a": "ñ"}]', 'utf16le'))).rows, [{ a: 'ñ' }]);
});

async function refused(text: Buffer | string, settings?: ReadFileOptions): Promise<CaudalError> {
  const error = await read(text, 'x.json', settings).then(
    () => assert.fail('was accepted'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof CaudalError, String(error));
  return error;
}

test('a fault is told with its place', async () => {
  const error = await refused('[\n{"a": 1},\n{"a": 01}\n]');
  assert.equal(error.code, 'malformed_json');
  assert.match(error.message, /"1" where "," or "}" should be \(line 3, byte 19\)/);
});

test('hostile documents are refused, each for its reason', async () => {
  assert.equal((await refused('['.repeat(100_000))).code, 'json_too_deep');
  assert.equal((await refused('{"a":'.repeat(100_000))).code, 'json_too_deep');
  assert.equal((await refused('[{"a": 1}')).code, 'malformed_json');
  assert.equal((await refused(Buffer.from([0x5b, 0x22, 0xff, 0x22, 0x5d]))).code, 'malformed_json');
  assert.equal((await refused('[1] [2]')).code, 'malformed_json');
  assert.equal((await refused(' \n ')).code, 'empty_file');
  const columns = JSON.stringify(Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`k${i}`, i])));
  assert.equal((await refused(columns, { limits: { max_columns: 100 } })).code, 'too_many_columns');
  const large = { limits: { max_value_bytes: 300_000 } };
  assert.equal((await refused(JSON.stringify([{ a: 'x'.repeat(400_000) }]), large)).code, 'value_too_large');
});

test('given types: what does not fit is quarantined with its reason', async () => {
  const target = { mode: 'declared' as const, columns: [{ name: 'ID', type: 'integer', field_id: 1, required: true }] };
  const result = await read('[\n{"id": "7", "x": 1},\n{"id": "seven"},\n{"x": 2}\n]', 'x.json', {
    target,
    options: { types: { x: 'text' } },
  });
  assert.deepEqual(result.rows, [{ id: '7', x: '1' }]);
  assert.deepEqual(result.table.accounting, { read: 3, accepted: 1, quarantined: 2, duplicates: 0, skipped: [] });
  assert.deepEqual(result.quarantine, [
    { line: 3, column: 'id', reason: 'not a valid integer', value: 'seven', raw: '{"id":"seven","x":null}' },
    { line: 4, column: 'id', reason: 'a required value is missing', value: null, raw: '{"id":null,"x":"2"}' },
  ]);
});

test('given types read what is written in other ways, and never round or cut', async () => {
  const text = '[{"d": "31/12/2023", "i": 1}, {"d": "1/2/2024 10:00", "i": 1.5}, {"d": "2/2/2024", "i": "7"}]';
  const result = await read(text, 'x.json', { options: { types: { d: 'date', i: 'integer' } } });
  assert.deepEqual(result.rows, [
    { d: '2023-12-31', i: '1' },
    { d: '2024-02-02', i: '7' },
  ]);
  assert.equal(result.quarantine[0]?.reason, 'not a valid date');
});
