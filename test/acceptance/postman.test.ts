import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import newman, { type Summary } from 'newman';
import type { Collection, Item } from '../../src/cli/postman/collection.ts';
import { ROOT, startCaudal } from './caudal.ts';
import { createClient } from './client.ts';
import { callsOf, type OpenApi } from './openapi-document.ts';

const COMMITTED = 'deploy/postman/caudal.postman_collection.json';

const caudal = await startCaudal({ CAUDAL_RATE_LIMIT_ANONYMOUS: '1000/s' });

async function made(what: string): Promise<Collection> {
  const { stdout } = await caudal.command(['openapi', '--postman', what], { expect: 0 });
  return JSON.parse(stdout) as Collection;
}

test('the committed collection is that of the API of today', async () => {
  const committed = JSON.parse(readFileSync(join(ROOT, COMMITTED), 'utf8'));
  assert.deepEqual(committed, await made('journey'), `./caudal openapi --postman journey -o ${COMMITTED}`);
});

test('the whole collection holds every operation, each with assertions', async () => {
  const whole = await made('all');
  const document: OpenApi = await createClient(caudal.url, caudal.admin.token).get('/openapi.json');
  const requests = (items: Item[]): Item[] => items.flatMap((each) => (each.item ? requests(each.item) : [each]));
  const names = requests(whole.item.slice(1)).map(({ name }) => name);
  assert.deepEqual(
    names.sort(),
    callsOf(document)
      .map(({ method, path }) => `${method} ${path}`)
      .sort(),
  );
  for (const { name, event = [] } of requests(whole.item)) {
    const code = event.filter(({ listen }) => listen === 'test').flatMap(({ script }) => script.exec);
    assert.ok(
      code.some((line) => line.includes('pm.test(')),
      name,
    );
  }
});

test('newman walks the journey and every assertion holds', { timeout: 300_000 }, async () => {
  const collection = JSON.parse(readFileSync(join(ROOT, COMMITTED), 'utf8'));
  const summary = await new Promise<Summary>((resolve, reject) => {
    const options = {
      collection,
      envVar: [{ key: 'baseUrl', value: caudal.url }],
      delayRequest: 20,
      timeoutRequest: 20_000,
    };
    newman.run(options, (error, found) => (error ? reject(error) : resolve(found)));
  });
  const failures = summary.run.failures.map(
    ({ source, error }) => `${source?.name}: ${error.test ?? ''} ${error.message}`,
  );
  assert.deepEqual(failures, []);
  const { requests, assertions } = summary.run.stats;
  assert.ok(requests.total >= 28 && assertions.total >= 80, JSON.stringify(summary.run.stats));
});
