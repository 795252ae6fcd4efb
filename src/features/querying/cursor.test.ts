import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CaudalError } from '#kernel/errors.ts';
import fc from '../../../test/support/laws.ts';
import { readCursor, writeCursor } from './cursor.ts';

test('a cursor comes back as it went; anything else is refused', () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.nat(),
      fc.nat(),
      fc.nat(),
      fc.array(fc.option(fc.string())),
      (version, segment, row, offset, keys) => {
        const cursor = { version, question: 'q', position: { segment, row }, keys, offset };
        assert.deepEqual(readCursor(writeCursor(cursor)), cursor);
      },
    ),
  );
  for (const text of [
    '',
    'x',
    'e30',
    Buffer.from('[1,"q",-1,0,0]').toString('base64url'),
    Buffer.from('[1,"q",0,0,0,{}]').toString('base64url'),
  ]) {
    assert.throws(
      () => readCursor(text),
      (error) => error instanceof CaudalError && error.code === 'bad_cursor',
    );
  }
});
