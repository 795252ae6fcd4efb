import assert from 'node:assert/strict';
import test from 'node:test';
import fc from '../../../test/support/laws.ts';
import { jsonText } from './json.ts';

test('what PostgreSQL refuses is replaced in values and keys', () => {
  assert.equal(jsonText({ 'a\0': ['\ud800', 'b\0'] }), '{"a␀":["\ufffd","b␀"]}');
  assert.equal(jsonText({ at: new Date(0), no: undefined }), '{"at":"1970-01-01T00:00:00.000Z"}');
});

test('everything else is as JSON.stringify writes it', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'grapheme' }), (value) => {
      fc.pre(!JSON.stringify(value).includes('\\u0000') && !JSON.stringify(value).includes('__proto__'));
      assert.equal(jsonText(value), JSON.stringify(value));
    }),
  );
});
