import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { installation, type Running } from '../support/caudal.ts';
import { examplesOf, looksLike, runExamples } from '../support/worked-examples.ts';

const ROOT = join(import.meta.dirname, '../..');
const missing = ['bash', 'curl', 'jq'].filter((tool) => spawnSync(tool, ['--version']).status !== 0);
const skip = missing.length > 0 && `without ${missing.join(', ')}`;

const here = installation();
let running: Running | undefined;
before(async () => {
  if (!skip) running = await here.up();
});
after(async () => {
  await running?.stop();
  here.remove();
});

/** In a directory of its own, with `caudal` on the path. */
function inDirectory() {
  const cwd = mkdtempSync(join(tmpdir(), 'caudal-docs-'));
  const env = { ...here.env, PATH: `${ROOT}:${process.env['PATH']}` };
  return { cwd, env, replace: ['http://127.0.0.1:5050', here.admin().url] as [string, string] };
}

for (const page of ['docs/api.md', 'docs/loading.md']) {
  test(`the examples of ${page} work and print what they show`, { skip }, async (t) => {
    const examples = examplesOf(join(ROOT, page));
    assert.ok(examples.length >= 3, 'there are examples');
    const where = inDirectory();
    t.after(() => rmSync(where.cwd, { recursive: true, force: true }));
    for (const { example, out } of await runExamples(examples, where)) {
      if (example.prints === undefined || looksLike(example.prints, out)) continue;
      assert.equal(out, example.prints, `${page}:${example.line}`);
    }
  });
}

test('examples/quickstart.sh does what it says', { skip }, () => {
  const { cwd, env } = inDirectory();
  try {
    const ran = spawnSync('sh', [join(ROOT, 'examples/quickstart.sh')], { cwd, env, encoding: 'utf8' });
    assert.equal(ran.status, 0, ran.stdout + ran.stderr);
    assert.match(ran.stdout, /Pasto/);
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
});
