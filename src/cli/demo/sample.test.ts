import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { writeSample } from './sample.ts';

/** Records of RFC 4180, and how many fields each has. */
function fieldCounts(text: string): number[] {
  const counts: number[] = [];
  let fields = 1;
  let quoted = false;
  for (const character of text) {
    if (character === '"') quoted = !quoted;
    else if (quoted) continue;
    else if (character === ',') fields += 1;
    else if (character === '\n') {
      counts.push(fields);
      fields = 1;
    }
  }
  return counts;
}

test('the sample is the same on every machine, and holds exactly what it says', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'caudal-sample-'));
  try {
    const path = join(directory, 'sample.csv');
    const sample = await writeSample(path, 400_000);
    const bytes = readFileSync(path);
    assert.equal(bytes.length, sample.bytes);
    assert.equal(createHash('sha256').update(bytes).digest('hex').slice(0, 16), '79e1334c72332b27');
    const [header, ...records] = fieldCounts(bytes.toString('utf8'));
    assert.equal(header, 10);
    assert.equal(records.filter((fields) => fields === header).length, sample.rows);
    assert.equal(records.filter((fields) => fields !== header).length, sample.bad);
    assert.equal(sample.bad, 7);
    assert.match(bytes.toString('utf8'), /""/, 'quotes within quotes');
    assert.match(bytes.toString('utf8'), /[^"]\n\n/, 'paragraphs');
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
