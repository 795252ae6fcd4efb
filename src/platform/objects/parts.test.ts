import assert from 'node:assert/strict';
import test from 'node:test';
import { CaudalError } from '#kernel/errors.ts';
import fc from '../../../test/support/laws.ts';
import { matchParts, multipartEtag, partSpan } from './parts.ts';

test('the parts of an object cover it once, without gap or overlap', () => {
  fc.assert(
    fc.property(fc.nat(1000), fc.integer({ min: 1, max: 100 }), (size, part_size) => {
      const part_count = Math.max(1, Math.ceil(size / part_size));
      let at = 0;
      for (let part = 1; part <= part_count; part += 1) {
        const span = partSpan({ size, part_size, part_count }, part);
        assert.equal(span.offset, at);
        at += span.length;
      }
      assert.equal(at, size);
    }),
  );
  for (const part of [0, 3, 1.5, -1]) assert.throws(() => partSpan({ size: 10, part_size: 5, part_count: 2 }, part));
});

const upload = { key: 'k', id: 'u', size: 15, part_size: 10, part_count: 2 };
const received = [
  { part_number: 1, etag: '"aa"', size: 10 },
  { part_number: 2, etag: '"bb"', size: 5 },
];
const problems = (run: () => void): string[] => {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof CaudalError);
    assert.equal(error.code, 'upload_incomplete');
    return (error.errors ?? []).map((each) => `${each.field} ${each.code}`);
  }
  return [];
};

test('ETags match with or without quotes, in any case and order', () => {
  const given = [
    { part_number: 2, etag: 'BB' },
    { part_number: 1, etag: '"aa"' },
  ];
  assert.deepEqual(
    problems(() => matchParts(upload, received, given)),
    [],
  );
});

test('whatever is wrong with a part is said of that part', () => {
  const all = [
    { part_number: 1, etag: 'aa' },
    { part_number: 2, etag: 'bb' },
  ];
  assert.deepEqual(
    problems(() => matchParts(upload, [], all)),
    ['parts.1 missing', 'parts.2 missing'],
  );
  assert.deepEqual(
    problems(() => matchParts(upload, received, all.slice(1))),
    ['parts.1 not_listed'],
  );
  assert.deepEqual(
    problems(() => matchParts(upload, received, [...all, { part_number: 3, etag: 'cc' }])),
    ['parts count'],
  );
  assert.deepEqual(
    problems(() => matchParts(upload, received, [...all, ...all])),
    ['parts count'],
  );
  const short = received.map((part) => ({ ...part, size: 10 }));
  assert.deepEqual(
    problems(() => matchParts(upload, short, all)),
    ['parts.2 size'],
  );
});

test('the ETag of the whole is the MD5 of the MD5s, whatever their order', () => {
  // printf a|md5sum, printf b|md5sum; the binary digests together through md5sum.
  const a = { part_number: 1, etag: '"0cc175b9c0f1b6a831c399e269772661"' };
  const b = { part_number: 2, etag: '92eb5ffee6ae2fec3ad71c777531578f' };
  assert.equal(multipartEtag([b, a]), '"96e024ba2074fe77e8e965ba43a704be-2"');
});
