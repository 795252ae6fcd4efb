import assert from 'node:assert/strict';
import test from 'node:test';
import { fromForeignPage, fromOurPage, isSafe } from './origin.ts';

const HOST = 'localhost:5050';
const PUBLIC = 'https://caudal.example.org/';

const CASES: [headers: Record<string, string>, ours: boolean, foreign: boolean][] = [
  [{}, false, false],
  [{ 'sec-fetch-site': 'same-origin' }, true, false],
  [{ 'sec-fetch-site': 'none' }, true, false],
  [{ 'sec-fetch-site': 'same-site' }, false, true],
  [{ 'sec-fetch-site': 'cross-site' }, false, true],
  [{ 'sec-fetch-site': 'cross-site', origin: 'http://localhost:5050' }, false, true],
  [{ origin: 'http://localhost:5050' }, true, false],
  [{ origin: 'https://localhost:5050' }, true, false],
  [{ origin: 'https://caudal.example.org' }, true, false],
  [{ origin: 'http://localhost:8080' }, false, true],
  [{ origin: 'http://localhost' }, false, true],
  [{ origin: 'https://evil.example' }, false, true],
  [{ origin: 'https://localhost:5050.evil.example' }, false, true],
  [{ origin: 'null' }, false, true],
  [{ origin: '' }, false, true],
];

for (const [headers, ours, foreign] of CASES) {
  test(`${JSON.stringify(headers)} is ${ours ? 'ours' : foreign ? 'foreign' : 'a program'}`, () => {
    assert.equal(fromOurPage(headers, HOST, PUBLIC), ours);
    assert.equal(fromForeignPage(headers, HOST, PUBLIC), foreign);
  });
}

test('a default port that the Host header spells out makes no difference', () => {
  assert.equal(fromOurPage({ origin: 'http://localhost' }, 'localhost:80', PUBLIC), true);
  assert.equal(fromOurPage({ origin: 'https://localhost' }, 'localhost:80', PUBLIC), false);
});

test('only reading methods are safe', () => {
  assert.deepEqual(['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE'].map(isSafe), [
    true,
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
});
