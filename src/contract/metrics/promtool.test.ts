import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { needsPromtool, testRules, toYaml } from '../../../test/support/promtool.ts';
import { randomGroup } from '../../../test/support/random-rules.ts';

/** Enough groups for 10,000 checks. */
const GROUPS = 18;
const LEAST_CHECKS = 10_000;

const directory = mkdtempSync(join(tmpdir(), 'caudal-promtool-'));
after(() => rmSync(directory, { recursive: true, force: true }));

test('random expressions and alerts give what Prometheus gives', { skip: needsPromtool }, (t) => {
  const seed = Number(process.env['CAUDAL_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`seed ${seed}`);
  const files: string[] = [];
  let checks = 0;
  for (let i = 0; i < GROUPS; i += 1) {
    const group = randomGroup(seed + i);
    checks += group.checks;
    const rules = join(directory, `rules-${i}.yml`);
    writeFileSync(rules, toYaml(group.rules));
    const file = join(directory, `test-${i}.yml`);
    writeFileSync(file, toYaml({ rule_files: [rules], evaluation_interval: group.interval, tests: [group.test] }));
    files.push(file);
  }
  const { status, output } = testRules(files);
  assert.equal(status, 0, `seed ${seed}:\n${complaints(output)}`);
  assert.equal(output.match(/SUCCESS/g)?.length, GROUPS);
  assert.ok(checks >= LEAST_CHECKS, `only ${checks} checks`);
  t.diagnostic(`${checks} checks agree`);
});

test('a wrong expectation is noticed', { skip: needsPromtool }, () => {
  const group = randomGroup(1);
  const wrong = group.test.promql_expr_test.find(({ exp_samples }) => exp_samples.length > 0);
  assert.ok(wrong?.exp_samples[0]);
  wrong.exp_samples[0].value += 1;
  const rules = join(directory, 'rules-wrong.yml');
  writeFileSync(rules, toYaml(group.rules));
  const file = join(directory, 'wrong.yml');
  writeFileSync(file, toYaml({ rule_files: [rules], evaluation_interval: group.interval, tests: [group.test] }));
  assert.equal(testRules([file]).status, 1);
});

/** What promtool found wrong, without its blank lines and successes. */
function complaints(output: string): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '' && !/SUCCESS|Unit Testing/.test(line));
  return lines.join('\n').slice(0, 6000);
}
