import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type CommandOptions, type CommandResult, startCaudal } from './caudal.ts';
import { createClient, tokenWith } from './client.ts';
import { numbersCsv } from './numbers.ts';

const caudal = await startCaudal();
const client = createClient(caudal.url, caudal.admin.token);
const overview = (await caudal.command(['help'], { expect: 0 })).stdout;
const COMMANDS = [...overview.matchAll(/^ {2}([a-z][a-z-]+) {2,}\S/gm)].map((match) => match[1] ?? '');

const csv = join(caudal.directory, 'people.csv');
writeFileSync(csv, `${numbersCsv(500)}501,Pasto,1,2026-01-10,"x",too,many\n`);

const plain = ({ stdout, stderr }: CommandResult, what: string) =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
  assert.doesNotMatch(stdout + stderr, /\x1b|\r(?!\n)/, `${what} writes escape codes into a pipe`);

async function caudalDoes(args: string[], code = 0, options: CommandOptions = {}): Promise<CommandResult> {
  const result = await caudal.command(args, options);
  assert.equal(result.code, code, `caudal ${args.join(' ')}: ${result.stdout}\n${result.stderr}`);
  plain(result, args.join(' '));
  return result;
}

// biome-ignore lint/suspicious/noExplicitAny: answers of every shape; the assertions say which
const json = async (args: string[], code = 0): Promise<any> =>
  JSON.parse((await caudalDoes([...args, '--json'], code)).stdout);

describe('help', () => {
  test('lists the commands of the contract', () => {
    const contract =
      'up serve status info logs upload load sql rows datasets files tasks trace tokens migrate backup restore check-config list-roles openapi';
    assert.deepEqual(
      contract.split(' ').filter((name) => !COMMANDS.includes(name)),
      [],
    );
  });

  // Of every command: src/cli/run.test.ts. Each start of a process here costs more than all of those together.
  for (const name of ['upload', 'sql']) {
    test(`caudal ${name} --help: usage, and examples that are its own`, async () => {
      const { stdout, stderr } = await caudalDoes([name, '--help']);
      assert.equal(stderr, '');
      assert.match(stdout, new RegExp(`^Usage  caudal ${name}`, 'm'));
      assert.match(stdout, new RegExp(`^Examples$[\\s\\S]*caudal ${name}`, 'm'));
    });
  }
});

describe('exit codes', () => {
  const nowhere = { local: false };
  const CASES: [what: string, args: string[], code: number, says: RegExp, options?: CommandOptions][] = [
    ['no such command', ['uplaod'], 2, /Did you mean: caudal upload/],
    ['no such option', ['upload', 'x', '--datset', 'y'], 2, /Did you mean --dataset/],
    ['an argument is missing', ['upload'], 2, /Usage: caudal upload/],
    ['a setting that does not fit', ['check-config'], 2, /CAUDAL_PORT/, { environment: { CAUDAL_PORT: 'many' } }],
    ['a role that does not exist', ['serve', '--roles', 'butler'], 2, /no role "butler"/],
    ['no file', ['upload', '/nowhere/at-all.csv'], 2, /no file/i],
    ['nothing runs there', ['status'], 3, /no admin.json/, nowhere],
    [
      'nobody answers',
      ['datasets'],
      3,
      /does not answer/,
      { environment: { CAUDAL_URL: 'http://127.0.0.1:9', CAUDAL_TOKEN: 'cdl_x' } },
    ],
    [
      'a wrong token',
      ['datasets'],
      4,
      /invalid_token/,
      { environment: { CAUDAL_URL: caudal.url, CAUDAL_TOKEN: 'cdl_wrong' } },
    ],
    ['no such dataset', ['rows', 'nowhere'], 1, /dataset_not_found/],
    ['a query that is none', ['sql', 'SELEKT 1'], 1, /sql_/],
    ['no such trace', ['trace', '00000000000000000000000000000001'], 1, /trace_not_found/],
  ];
  for (const [what, args, code, says, options] of CASES) {
    test(`${what}: ${code}`, async () => {
      const { stdout, stderr } = await caudalDoes(args, code, options);
      assert.equal(stdout, '');
      assert.match(stderr, /^error: /);
      assert.match(stderr, says);
      assert.doesNotMatch(stderr, /\n\s+at /);
    });
  }

  test('a token that may not do this: 4', async () => {
    const CAUDAL_TOKEN = await tokenWith(client, ['tasks:read']);
    const denied = await caudalDoes(['datasets'], 4, { environment: { CAUDAL_URL: caudal.url, CAUDAL_TOKEN } });
    assert.match(denied.stderr, /forbidden/);
  });
});

/** Of the thousand people that were loaded. */
async function reportChartEndpoint(): Promise<void> {
  const workbook = join(caudal.directory, 'people.xlsx');
  await caudalDoes(['report', 'people', '-g', 'place', '--where', 'id<=300', '-o', workbook]);
  assert.equal(readFileSync(workbook).subarray(0, 2).toString(), 'PK');
  const task = await json(['report', 'people', '--group-by', 'place', '--task', '-o', workbook]);
  assert.deepEqual([task.status, task.output.rows], ['succeeded', 1000]);
  assert.equal(readFileSync(workbook).length, (await json(['files', task.output.file_id])).size);

  const chart = await caudalDoes(['chart', 'people', '--x', 'place', '--top', '1']);
  assert.match(chart.stdout, /count[\s\S]*\d+ {2}█+\n\(6 more\) +\d+ {2}█+\n/);

  const query = 'SELECT id, place FROM people WHERE place = $place ORDER BY id LIMIT 2';
  const made = await json(['endpoints', 'create', 'somewhere', query, '--param', 'place:text', '--orient', 'columns']);
  assert.deepEqual([made.version, made.public, made.parameters[0].required], [1, false, true]);
  const called = await caudalDoes(['endpoints', 'call', 'somewhere', 'place=Cali', '-f', 'csv']);
  assert.match(called.stdout, /^id,place\r\n\d+,Cali\r\n\d+,Cali\r\n$/);
  await caudalDoes(['endpoints', 'delete', 'somewhere']);
  assert.deepEqual((await json(['endpoints'])).items, []);
}

describe('commands', () => {
  test('upload, then everything that shows what became of it', async () => {
    const [file] = await json(['upload', csv, '--dataset', 'people']);
    assert.deepEqual([file.state, file.rows, file.quarantined], ['loaded', 500, 1]);
    const shown = await caudalDoes(['upload', csv, '--dataset', 'people']);
    assert.match(shown.stdout, /501 .*500 .*1 /);

    assert.equal((await json(['files'])).items.length, 2);
    assert.equal((await json(['files', file.id])).id, file.id);
    const copy = join(caudal.directory, 'copy.csv');
    await caudalDoes(['files', file.id, '-o', copy]);
    assert.deepEqual(readFileSync(copy), readFileSync(csv));

    assert.equal((await json(['datasets'])).items.length, 1);
    const dataset = await json(['datasets', 'people', '--profile']);
    assert.equal(dataset.rows, 1000);
    assert.ok(dataset.columns[0].profile);
    assert.equal((await json(['datasets', 'people', '--quarantine'])).items.length, 2);
    assert.equal((await json(['datasets', 'people', '--sources'])).items.length, 2);
    assert.match((await caudalDoes(['datasets', 'people'])).stdout, /place/);

    assert.equal((await json(['rows', 'people', '--where', 'id<=3', '--order', '-id'])).rows.length, 6);
    const exported = await caudalDoes(['rows', 'people', '--format', 'csv']);
    assert.equal(exported.stdout.trim().split(/\r?\n/).length, 1001);
    for (const ending of ['csv', 'ndjson', 'parquet', 'xlsx', 'json']) {
      const target = join(caudal.directory, `rows.${ending}`);
      await caudalDoes(['rows', 'people', '--limit', '10', '-o', target]);
      assert.ok(readFileSync(target).length > 100, ending);
    }

    const [row] = (await json(['sql', 'SELECT count(*) AS n FROM people WHERE place = ?', '--param', 'Cali'])).rows;
    assert.ok(row.n > 100);
    assert.match((await caudalDoes(['sql', 'SELECT 42 AS answer'])).stdout, /answer[\s\S]*42/);

    const tasks = await json(['tasks']);
    const task = (tasks.items ?? tasks)[0];
    assert.equal((await json(['tasks', task.id])).status, 'succeeded');
    await caudalDoes(['tasks', task.id, '--follow']);
    const again = await caudalDoes(['tasks', task.id, '--cancel'], 1);
    assert.match(again.stderr, /task_ended/);

    const reloaded = await json(['load', file.id, '--dataset', 'elsewhere']);
    assert.ok(JSON.stringify(reloaded).includes('elsewhere') || reloaded.status === 'succeeded');
    assert.equal((await json(['datasets', 'elsewhere'])).rows, 500);

    await reportChartEndpoint();
    await caudalDoes(['files', file.id, '--delete']);
    assert.equal((await json(['datasets', 'people'])).rows, 500);
    await caudalDoes(['datasets', 'elsewhere', '--delete']);
    await caudalDoes(['datasets', 'elsewhere'], 1);
  });

  test('a load that fails: 1, and why', async () => {
    const picture = join(caudal.directory, 'picture.csv');
    writeFileSync(picture, Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'latin1'));
    const failed = await caudalDoes(['upload', picture], 1);
    assert.match(failed.stdout + failed.stderr, /unsupported_format|not supported/);
  });

  test('tokens: made, used, listed, revoked', async () => {
    const made = await json(['tokens', 'create', 'ci', '--scope', 'datasets:read', '--expires', '1h']);
    const environment = { CAUDAL_URL: caudal.url, CAUDAL_TOKEN: made.token };
    await caudalDoes(['datasets'], 0, { environment, local: false });
    assert.ok((await json(['tokens'])).items.some(({ id }: { id: string }) => id === made.id));
    await caudalDoes(['tokens', 'revoke', made.id]);
    await caudalDoes(['datasets'], 4, { environment, local: false });
  });

  test('status, info, logs, trace, openapi, list-roles, check-config, migrate', async () => {
    const status = await json(['status']);
    assert.deepEqual([status.status, status.instances.length], ['ok', 3]);
    assert.equal((await json(['info'])).url, caudal.url);
    assert.match((await caudalDoes(['logs', 'api', '--lines', '5'])).stdout, /\S/);
    const lines = (await caudalDoes(['logs', 'worker', '--json'])).stdout.trim().split('\n');
    assert.ok(lines.every((line) => typeof JSON.parse(line) === 'object'));
    assert.ok((await json(['trace'])).items.length > 0);
    assert.match(JSON.parse((await caudalDoes(['openapi'])).stdout).openapi, /^3\.1/);
    assert.match((await caudalDoes(['list-roles'])).stdout, /api[\s\S]*worker[\s\S]*telemetry/);
    const secret = 'postgres://somebody:hunter2@127.0.0.1:1/x';
    const config = await caudalDoes(['check-config'], 0, { environment: { DATABASE_URL: secret } });
    assert.match(config.stdout, /CAUDAL_DATA_DIR/);
    assert.doesNotMatch(config.stdout + config.stderr, /hunter2/);
    await caudalDoes(['migrate']);
  });

  test('demo shows the main job on the running instance', async () => {
    const { stdout } = await caudalDoes(['demo']);
    assert.match(stdout, /demonstration: done\n$/);
  });
});
