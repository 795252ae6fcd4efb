import assert from 'node:assert/strict';
import test from 'node:test';
import { CaudalError } from '#kernel/errors.ts';
import { checkPassword, createPasswordHasher, refuseFaults } from './passwords.ts';

const CASES: [password: string, repeated: string, codes: string[]][] = [
  ['Secreta123', 'Secreta123', []],
  ['Ñandú2024', 'N\u0303andu\u03012024', []],
  ['short1A', 'short1A', ['too_short']],
  ['alllower1', 'alllower1', ['no_upper_case']],
  ['ALLUPPER1', 'ALLUPPER1', ['no_lower_case']],
  ['NoDigitsHere', 'NoDigitsHere', ['no_digit']],
  ['', '', ['too_short', 'no_upper_case', 'no_lower_case', 'no_digit']],
  ['Secreta123', 'Secreta124', ['mismatch']],
  ['💧💧A1', '💧💧A1', ['too_short', 'no_lower_case']],
];

for (const [password, repeated, codes] of CASES) {
  test(`password ${JSON.stringify(password)} lacks ${codes.join(', ') || 'nothing'}`, () => {
    assert.deepEqual(
      checkPassword(password, repeated).map((fault) => fault.code),
      codes,
    );
  });
}

test('only weakness is weak_password; any other fault makes it invalid_input', () => {
  const codeOf = (faults: ReturnType<typeof checkPassword>): string => {
    try {
      refuseFaults(faults);
      return 'none';
    } catch (error) {
      assert.ok(error instanceof CaudalError);
      assert.equal(error.status, 422);
      return error.code;
    }
  };
  assert.equal(codeOf([]), 'none');
  assert.equal(codeOf(checkPassword('abc', 'abc')), 'weak_password');
  assert.equal(codeOf(checkPassword('abc', 'abd')), 'invalid_input');
});

test('hashes are argon2id with the stated cost, verify, and nobody has no password', async () => {
  const passwords = await createPasswordHasher();
  const hashed = await passwords.hash('Ñandú2024');
  assert.match(hashed, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  assert.equal(await passwords.verify(hashed, 'N\u0303andu\u03012024'), true);
  assert.equal(await passwords.verify(hashed, 'Ñandú2025'), false);
  assert.equal(await passwords.verify(null, 'Ñandú2024'), false);
});

test('a full line answers 503 with a time to retry', async () => {
  const passwords = await createPasswordHasher(1, 1);
  const ends = await Promise.allSettled([1, 2, 3].map(() => passwords.hash('Secreta123')));
  const refused = ends.filter((end) => end.status === 'rejected');
  assert.equal(refused.length, 1);
  assert.equal(refused[0]?.reason.code, 'not_ready');
  assert.ok(refused[0]?.reason.retry_after > 0);
});
