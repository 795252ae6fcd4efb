import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { EXIT } from './command.ts';
import { run } from './run.ts';
import { COMMANDS } from './table.ts';

const empty = mkdtempSync(join(tmpdir(), 'caudal-cli-'));
after(() => rmSync(empty, { recursive: true, force: true }));

async function cli(argv: string[], env: Record<string, string> = {}) {
  const written = { out: '', err: '' };
  const stream = (name: 'out' | 'err') => {
    const write = (text: string) => {
      written[name] += text;
      return true;
    };
    return { isTTY: false, write } as unknown as NodeJS.WriteStream;
  };
  const code = await run({
    argv,
    env: { CAUDAL_DATA_DIR: empty, ...env },
    stdin: process.stdin,
    stdout: stream('out'),
    stderr: stream('err'),
    signal: new AbortController().signal,
    version: '1.2.3',
    root: join(import.meta.dirname, '../..'),
    program: [process.execPath, 'main.ts'],
  });
  return { code, ...written };
}

test('help lists every command; each explains itself with examples', async () => {
  const { code, out } = await cli(['help']);
  assert.equal(code, EXIT.ok);
  for (const name of Object.keys(COMMANDS)) {
    assert.match(out, new RegExp(`^  ${name} `, 'm'));
    const help = await cli([name, '--help']);
    assert.equal(help.code, EXIT.ok, name);
    assert.match(help.out, new RegExp(`Usage  caudal ${name}`));
    assert.match(help.out, /Examples\n {2}# .+\n {2}.*caudal/, name);
  }
  assert.equal((await cli([])).out, out);
  assert.equal((await cli(['help', 'sql'])).out, (await cli(['sql', '-h'])).out);
});

test('a wrong command line ends with 2 and says what was meant', async () => {
  const command = await cli(['uplaod', 'x.csv']);
  assert.equal(command.code, EXIT.usage);
  assert.match(command.err, /There is no command "uplaod"[\s\S]*caudal upload/);
  const option = await cli(['rows', 'x', '--limt', '5']);
  assert.equal(option.code, EXIT.usage);
  assert.match(option.err, /no option --limt[\s\S]*--limit/);
  const missing = await cli(['rows']);
  assert.equal(missing.code, EXIT.usage);
  assert.match(missing.err, /Usage: caudal rows DATASET/);
  const value = await cli(['sql', 'SELECT 1', '--format', 'pdf']);
  assert.equal(value.code, EXIT.usage);
  assert.match(value.err, /table, json, csv/);
});

test('settings that do not fit end with 2, all of them named', async () => {
  const { code, err } = await cli(['check-config'], { CAUDAL_PORT: 'x', CAUDAL_SQL_TIMEOUT: 'y' });
  assert.equal(code, EXIT.usage);
  assert.match(err, /CAUDAL_PORT[\s\S]*CAUDAL_SQL_TIMEOUT/);
  const misspelt = await cli(['check-config'], { CAUDAL_DATADIR: '/x', CAUDAL_TOKEN: 'cdl_secret' });
  assert.equal(misspelt.code, EXIT.ok);
  assert.match(misspelt.err, /CAUDAL_DATADIR is no setting[\s\S]*CAUDAL_DATA_DIR/);
  assert.doesNotMatch(misspelt.out, /cdl_secret/);
});

test('without a Caudal the exit code is 3 and the message says what to do', async () => {
  const none = await cli(['files']);
  assert.equal(none.code, EXIT.unreachable);
  assert.match(none.err, /make run/);
  const nobody = await cli(['status'], { CAUDAL_URL: 'http://127.0.0.1:9', CAUDAL_TOKEN: 't' });
  assert.equal(nobody.code, EXIT.unreachable);
  assert.match(nobody.err, /does not answer at http:\/\/127\.0\.0\.1:9/);
});
