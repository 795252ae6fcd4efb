import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test from 'node:test';
import { CaudalError } from '#kernel/errors.ts';
import fc from '../../../test/support/laws.ts';
import { type Grant, signGrant, verifyGrant } from './signature.ts';

const key = randomBytes(32);
const now = new Date(1_700_000_000_000);
const part: Grant = { method: 'PUT', upload_id: 'u', part_number: 1, offset: 0, length: 10, expires: 1_700_000_001 };
const code = (run: () => void): string => {
  try {
    run();
  } catch (error) {
    return error instanceof CaudalError ? error.code : String(error);
  }
  return 'accepted';
};

test('a grant is accepted until its second comes', () => {
  const signature = signGrant(key, part);
  assert.equal(
    code(() => verifyGrant(key, part, signature, now)),
    'accepted',
  );
  assert.equal(
    code(() => verifyGrant(key, part, signature, new Date(1_700_000_001_000))),
    'signature_expired',
  );
});

test('another key, another value of any field, or a damaged signature is refused', () => {
  const signature = signGrant(key, part);
  assert.equal(
    code(() => verifyGrant(randomBytes(32), part, signature, now)),
    'signature_invalid',
  );
  const others: Grant[] = [
    { ...part, upload_id: 'v' },
    { ...part, part_number: 2 },
    { ...part, offset: 1 },
    { ...part, length: 11 },
    { ...part, expires: part.expires + 1 },
  ];
  for (const other of others)
    assert.equal(
      code(() => verifyGrant(key, other, signature, now)),
      'signature_invalid',
    );
  for (const bad of ['', 'x', `${signature}x`, signature.slice(1), `é${signature.slice(1)}`]) {
    assert.equal(
      code(() => verifyGrant(key, part, bad, now)),
      'signature_invalid',
    );
  }
});

test('no two downloads share a signature, however their names are cut', () => {
  const text = fc.string({ unit: 'binary', maxLength: 12 });
  fc.assert(
    fc.property(text, text, text, text, (a, b, c, d) => {
      fc.pre(a !== c || b !== d);
      const grant = (filename: string, content_type: string): Grant => ({
        method: 'GET',
        key: 'k',
        filename,
        content_type,
        disposition: 'attachment',
        expires: 1,
      });
      return signGrant(key, grant(a, b)) !== signGrant(key, grant(c, d));
    }),
  );
});
