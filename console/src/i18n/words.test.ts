import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import en from './en.json' with { type: 'json' };
import es from './es.json' with { type: 'json' };

type Words = { [key: string]: string | Words };

function flat(words: Words, before = ''): [key: string, text: string][] {
  return Object.entries(words).flatMap(([key, value]) =>
    typeof value === 'string' ? [[`${before}${key}`, value] as [string, string]] : flat(value, `${before}${key}.`),
  );
}

const english = new Map(flat(en));
const spanish = new Map(flat(es));

test('both languages say the same things', () => {
  assert.deepEqual([...spanish.keys()].sort(), [...english.keys()].sort());
});

test('both languages fill in the same values', () => {
  const values = (text = '') => [...text.matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name).sort();
  for (const [key, text] of english) assert.deepEqual(values(spanish.get(key)), values(text), key);
});

test('every word that the pages ask for is there', () => {
  const sources = globSync('**/*.tsx', { cwd: join(import.meta.dirname, '..') });
  assert.ok(sources.length > 20);
  const keys = new Set([...english.keys()].map((key) => key.replace(/_(one|other)$/, '')));
  for (const source of sources) {
    const text = readFileSync(join(import.meta.dirname, '..', source), 'utf8');
    for (const [, key = ''] of text.matchAll(/\bt\(\s*'([\w.]+)'/g)) assert.ok(keys.has(key), `${source}: ${key}`);
  }
});
