import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { describeConfig, exampleEnvironment, InvalidConfig, readConfig, SETTINGS } from './config.ts';

test('every default is valid and typed', () => {
  const config = readConfig({});
  assert.equal(config.port, 5050);
  assert.equal(config.versionRetention, 7 * 86_400_000);
  assert.equal(config.rateLimitWorkspace, 2000);
  assert.equal(config.databaseUrl, '');
  assert.ok(config.dataDir.endsWith('.caudal'));
  assert.deepEqual(config.fetchAllowPrivate, []);
});

test('followed logs are named with their format and an absolute path, each once', () => {
  const tail = (CAUDAL_TAIL: string) => readConfig({ CAUDAL_TAIL }).tail;
  assert.deepEqual(tail('nginx:/a/x.log, text:/b/y:z.log'), [
    { format: 'nginx', path: '/a/x.log' },
    { format: 'text', path: '/b/y:z.log' },
  ]);
  for (const wrong of ['/a/x.log', 'nginx:x.log', 'nginx:', 'nginx:/a,text:/a']) {
    assert.throws(() => tail(wrong), /CAUDAL_TAIL/, wrong);
  }
});

test('all that is wrong is told at once, each with what would fit', () => {
  const env = {
    CAUDAL_PORT: '70000',
    CAUDAL_OBJECTS: 's3://bucket',
    CAUDAL_SQL_TIMEOUT: '30',
    CAUDAL_ENV: 'production',
    DATABASE_URL: 'mysql://x',
    CAUDAL_WORKERS_MIN: '3',
    CAUDAL_FETCH_ALLOW_PRIVATE: '10.0.0.0/8, house',
    CAUDAL_TAIL: 'nginx:/var/log/nginx/access.log, apache:/var/log/apache.log',
  };
  assert.throws(
    () => readConfig(env),
    (error: unknown) => {
      assert.ok(error instanceof InvalidConfig);
      assert.deepEqual(
        error.settings.map((setting) => setting.env).sort(),
        [...Object.keys(env).filter((name) => name !== 'CAUDAL_WORKERS_MIN'), 'CAUDAL_WORKERS_MAX'].sort(),
      );
      assert.match(error.message, /CAUDAL_PORT must be a port between 0 and 65535/);
      assert.match(error.message, /CAUDAL_OBJECTS names an S3 store/);
      assert.match(error.message, /30s, 12h or 7d/);
      assert.match(error.message, /CAUDAL_TAIL holds "apache:\/var\/log\/apache.log"; write nginx, postgresql, text/);
      return true;
    },
  );
});

test('a port that no browser opens is refused', () => {
  assert.throws(() => readConfig({ CAUDAL_PORT: '5060' }), /CAUDAL_PORT names a port that browsers refuse/);
  assert.throws(() => readConfig({ CAUDAL_PORT: '0x50' }), /CAUDAL_PORT must be a port/);
  assert.equal(readConfig({ CAUDAL_PORT: '5062' }).port, 5062);
});

test('a secret may come from a file, and none is ever printed', () => {
  const directory = mkdtempSync(join(tmpdir(), 'caudal-config-'));
  try {
    const file = join(directory, 'secret');
    writeFileSync(file, 'from-a-file\n');
    const env = {
      CAUDAL_INTERNAL_SECRET_FILE: file,
      CAUDAL_TOKEN: 'cdl_hidden',
      DATABASE_URL: 'postgres://someone:hidden-word@db:5432/caudal',
    };
    const config = readConfig(env);
    assert.equal(config.internalSecret, 'from-a-file');
    const printed = JSON.stringify(describeConfig(config, env));
    for (const hidden of ['from-a-file', 'cdl_hidden', 'hidden-word']) assert.ok(!printed.includes(hidden), hidden);
    assert.match(printed, /postgres:\/\/someone:\*{8}@db:5432\/caudal/);
    assert.throws(() => readConfig({ CAUDAL_TOKEN_FILE: join(directory, 'absent') }), /CAUDAL_TOKEN could not be read/);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test('no two settings share a variable, and .env.example lists exactly the table', () => {
  const names = Object.values(SETTINGS).map((setting) => setting.env);
  assert.equal(new Set(names).size, names.length);
  const written = readFileSync(new URL('../.env.example', import.meta.url), 'utf8');
  assert.equal(written, exampleEnvironment(), 'run: node scripts/env-example.ts');
});
