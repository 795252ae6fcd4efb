import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import test from 'node:test';
import fc from '../../test/support/laws.ts';
import { linesOf, onLines } from './lines.ts';

async function all(chunks: (Buffer | string)[]): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of linesOf(Readable.from(chunks))) lines.push(line);
  return lines;
}

const text = fc.string({
  unit: fc.constantFrom('a', '\n', '\r', '\u2028', '\u2029', '\u0085', '\v', 'ñ', '\u{1F600}'),
  maxLength: 40,
});

test('law: lines end at LF alone, wherever the bytes are cut', async () => {
  await fc.assert(
    fc.asyncProperty(text, fc.array(fc.nat(160), { maxLength: 8 }), async (written, cuts) => {
      const bytes = Buffer.from(written);
      const places = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
      const chunks = places.slice(1).map((end, index) => bytes.subarray(places[index], end));
      const expected = written.split('\n');
      if (expected.at(-1) === '') expected.pop();
      assert.deepEqual(await all(chunks), expected);
      const heard: string[] = [];
      const stream = Readable.from(chunks);
      onLines(stream, (line) => heard.push(line));
      await new Promise((resolve) => stream.on('close', resolve));
      assert.deepEqual(heard, expected);
    }),
  );
});

test('a JSON text with a line separator in it is one line', async () => {
  const value = { value: 'a\u2028b\u2029c' };
  const [line = '', ...more] = await all([`${JSON.stringify(value)}\n`]);
  assert.deepEqual(JSON.parse(line), value);
  assert.deepEqual(more, []);
});
