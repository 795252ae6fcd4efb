import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from '../../../../../test/support/laws.ts';
import { compactJson, stringText, valueEnd } from './cells.ts';
import { bufferWindow, looksLikeJson } from './looks-like.ts';
import { JsonFault, MAX_DEPTH, peek, scanValue } from './scan.ts';
import { openWindow } from './window.ts';

/** Whether our scanner takes a text as one JSON document. */
function accepts(text: string): boolean {
  const window = bufferWindow(Buffer.from(text, 'utf8'));
  try {
    scanValue(window);
    return peek(window) === -1;
  } catch (error) {
    if (error instanceof JsonFault) return false;
    throw error;
  }
}

function engineAccepts(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

test('accepts every JSON text, in every layout', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1, '\t\r\n'), (value, indent) => {
      assert.ok(accepts(JSON.stringify(value, null, indent)));
    }),
  );
});

test('agrees with the engine about texts that are nearly JSON', () => {
  const token = fc.constantFrom(
    ...'{}[],:"\\ \n\u0001é',
    'true',
    'nul',
    '-',
    '0',
    '1',
    '.5',
    'e+',
    '\\u12',
    '\\n',
    '"a"',
  );
  fc.assert(
    fc.property(fc.array(token, { maxLength: 12 }), (tokens) => {
      const text = tokens.join('');
      assert.equal(accepts(text), engineAccepts(text), text);
    }),
    { numRuns: 2000 },
  );
});

test('removes blanks between tokens and nothing else', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const bytes = Buffer.from(JSON.stringify(value, null, 2), 'utf8');
      assert.equal(valueEnd(bytes, 0), bytes.length);
      assert.equal(compactJson(bytes, 0, bytes.length), JSON.stringify(value));
    }),
  );
});

test('half a surrogate pair becomes U+FFFD, alone or inside a container', () => {
  const lone = Buffer.from('"a\\ud800b"');
  assert.equal(stringText(lone, 0, lone.length), 'a\ufffdb');
  const nested = Buffer.from('["\\ud83d\\ude00", "\\uDC00", "\\\\ud800"]');
  assert.equal(compactJson(nested, 0, nested.length), '["\\ud83d\\ude00","\\ufffd","\\\\ud800"]');
});

test('depth has a limit that no stack sets', () => {
  const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
  assert.ok(accepts(nested(MAX_DEPTH)));
  const window = bufferWindow(Buffer.from(nested(100_000)));
  assert.throws(
    () => scanValue(window),
    (error: unknown) => error instanceof JsonFault && error.deep,
  );
});

function fileWindow(t: TestContext, content: Buffer | string, chunk: number, max_record_bytes = 1e6) {
  const directory = mkdtempSync(join(tmpdir(), 'caudal-window-'));
  const path = join(directory, 'file');
  writeFileSync(path, content);
  const descriptor = openSync(path, 'r');
  t.after(() => {
    closeSync(descriptor);
    rmSync(directory, { recursive: true });
  });
  return openWindow(descriptor, { chunk, max_record_bytes });
}

test('a window of any size shows the same values on the same lines', (t) => {
  const records = Array.from({ length: 50 }, (_, index) => ({
    index,
    text: 'ñ€😀'.repeat(index % 7),
    list: [1, { a: null }],
  }));
  const text = `[\n${records.map((record) => JSON.stringify(record)).join(',\n')}\n]`;
  for (const chunk of [64, 65, 67, 97, 4096]) {
    const window = fileWindow(t, text, chunk);
    peek(window);
    window.pos++;
    for (const [index, record] of records.entries()) {
      peek(window);
      window.mark = window.pos;
      scanValue(window);
      assert.deepEqual(JSON.parse(window.buffer.toString('utf8', window.mark, window.pos)), record);
      assert.equal(window.lineAt(window.mark), index + 2);
      peek(window);
      window.pos++;
    }
    assert.ok(window.utf8);
  }
});

test('bytes that are no UTF-8 are noticed wherever chunks are cut', (t) => {
  const sound = Buffer.from('"ñ€😀"'.repeat(20));
  const broken = Buffer.concat([sound, Buffer.from([0xe2, 0x82]), sound]);
  for (const chunk of [7, 8, 9, 10, 11, 512]) {
    for (const [bytes, expected] of [
      [sound, true],
      [broken, false],
      [broken.subarray(0, sound.length + 2), false],
    ] as const) {
      const window = fileWindow(t, bytes, chunk);
      while (window.refill()) window.pos = window.end;
      assert.equal(window.utf8, expected, `chunks of ${chunk}`);
    }
  }
});

test('a record larger than the limit is refused', (t) => {
  const window = fileWindow(t, `"${'x'.repeat(5000)}"`, 64, 1000);
  assert.throws(() => scanValue(window), /larger than 1000 bytes/);
});

const LOOKS: [text: string, complete: boolean, looks: 'json' | 'ndjson' | undefined][] = [
  ['[1, 2]', true, 'json'],
  [' \ufeff', true, undefined],
  ['\ufeff{"a": 1}\n', true, 'json'],
  ['{"a": 1}\n{"a": 2}\n', true, 'ndjson'],
  ['{\n "a": 1\n}\n{\n', true, 'ndjson'],
  ['[{"a": "cut in the mid', false, 'json'],
  ['[{"a": "cut in the mid', true, undefined],
  ['{name},{id}\n', true, undefined],
  ['a,b\n1,2\n', true, undefined],
  ['42', true, undefined],
];
for (const [text, complete, looks] of LOOKS) {
  test(`${JSON.stringify(text)} ${complete ? 'as a whole' : 'as a beginning'} looks like ${looks ?? 'no JSON'}`, () => {
    assert.equal(looksLikeJson(Buffer.from(text, 'utf8'), complete), looks);
  });
}
