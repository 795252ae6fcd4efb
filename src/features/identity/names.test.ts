import assert from 'node:assert/strict';
import test from 'node:test';
import fc from '../../../test/support/laws.ts';
import { canonicalEmail, checkEmail, checkTitle, checkUsername } from './names.ts';

const USERNAMES: [typed: string, kept: string | null][] = [
  ['admin', 'admin'],
  ['  ana ', 'ana'],
  ['María.José_1-x', 'María.José_1-x'],
  ['Mari\u0301a', 'María'],
  ['ａｄｍｉｎ', 'admin'],
  ['оператор', 'оператор'],
  ['अमित', 'अमित'],
  ['аdmin', null],
  ['ad\u200bmin', null],
  ['', null],
  ['-x', null],
  ['a b', null],
  ['a/../b', null],
  ['a\u0000', null],
  ['x'.repeat(64), 'x'.repeat(64)],
  ['x'.repeat(65), null],
];

for (const [typed, kept] of USERNAMES) {
  test(`username ${JSON.stringify(typed.slice(0, 20))} ${kept === null ? 'is refused' : 'is kept'}`, () => {
    const checked = checkUsername(typed);
    assert.equal('value' in checked ? checked.value : null, kept);
  });
}

const EMAILS: [typed: string, kept: string | null][] = [
  ['admin@gmail.com', 'admin@gmail.com'],
  ['operator@caudal.local', 'operator@caudal.local'],
  [' Ana.Ruiz+x@Example.ORG ', 'Ana.Ruiz+x@example.org'],
  ['jose\u0301@correo.es', 'josé@correo.es'],
  ['ana@bücher.example', 'ana@xn--bcher-kva.example'],
  ['no-at.example.org', null],
  ['@example.org', null],
  ['a@b', null],
  ['a b@example.org', null],
  ['a@exa mple.org', null],
  ['a@@example.org', null],
  ['.a@example.org', null],
  ['a..b@example.org', null],
  ['a@-x.org', null],
  ['a@x..org', null],
  ['a@[127.0.0.1]', null],
  ['"a"@example.org', null],
  ['a@example.org\r\nBcc: all@example.org', null],
  [`${'x'.repeat(65)}@example.org`, null],
  [`a@${'x'.repeat(64)}.org`, null],
];

for (const [typed, kept] of EMAILS) {
  test(`e-mail ${JSON.stringify(typed.slice(0, 30))} ${kept === null ? 'is refused' : 'is kept'}`, () => {
    const checked = checkEmail(typed);
    assert.equal('value' in checked ? checked.value : null, kept);
  });
}

test('what is kept is kept again as it is', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 40 });
  fc.assert(
    fc.property(text, fc.emailAddress(), (anything, address) => {
      for (const check of [checkUsername, checkEmail, checkTitle]) {
        const once = check(anything);
        if ('value' in once) assert.deepEqual(check(once.value), once);
      }
      const kept = canonicalEmail(address);
      if (kept !== undefined) assert.equal(canonicalEmail(kept), kept);
    }),
  );
});
