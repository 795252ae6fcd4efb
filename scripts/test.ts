/**
 * `make test`: every test with a PostgreSQL of its own, and nothing left behind.
 *
 *   node scripts/test.ts                 all of them
 *   node scripts/test.ts config queue    files whose path holds one of these words
 *   CAUDAL_SOAK=1 node scripts/test.ts   the long forms of the fault tests (`make soak`)
 *
 * The last line is always `N passed, N failed, N skipped`. A test that leaves a process running
 * fails the run; what tests leave in the temporary directory is named and removed.
 */
import { chmodSync, existsSync, globSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';
import { finished } from 'node:stream/promises';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { type RunningPostgres, startPostgres } from '#platform/db/embedded/postgres.ts';
import { createLogger } from '#platform/observe/log.ts';
import { endProcesses, listProcesses } from '#platform/process/processes.ts';
import { installTools } from './test-tools.ts';

const ROOT = join(import.meta.dirname, '..');
/** A file waits for half of its time, for processes that it started: one more than there are cores keeps them busy. */
const CONCURRENCY = Number(process.env['CAUDAL_TEST_CONCURRENCY'] ?? availableParallelism() + 1);
const SOAK = process.env['CAUDAL_SOAK'] === '1';
/** Files that are named at the end with their time, where so many ran. */
const SLOWEST = 20;
/** Lines of what a failed test said that are said again at the end. */
const SAID_AGAIN = 12;
const FILE_TIMEOUT = (SOAK ? 60 : 10) * 60_000;
const PATTERNS = ['src/**/*.test.ts', 'test/**/*.test.ts', 'console/src/**/*.test.ts'];
/** What a test may get from outside; every other setting of the caller's would change its outcome. */
const KEPT = /^CAUDAL_(TEST_|SHARED_DATA$|BENCH_|SOAK$)/;

/** Quick ones first: unit, then integration, acceptance, browser. */
function rank(file: string): number {
  if (file.includes(`${sep}acceptance${sep}`)) return 2;
  if (file.includes('browser')) return 3;
  return file.includes('.integration.') || file.startsWith(`test${sep}`) ? 1 : 0;
}

function testFiles(words: string[]): string[] {
  return PATTERNS.flatMap((pattern) => globSync(pattern, { cwd: ROOT, exclude: ['**/node_modules/**'] }))
    .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
    .sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}

function cleanEnvironment(temporary: string): void {
  for (const name of Object.keys(process.env)) {
    if ((name.startsWith('CAUDAL_') && !KEPT.test(name)) || name.startsWith('OTEL_') || name === 'DATABASE_URL') {
      delete process.env[name];
    }
  }
  process.env['TMPDIR'] = temporary;
  process.env['TZ'] = 'UTC';
  // Each file is a process, and many start more: stripped and compiled modules are kept, as `./caudal` keeps them.
  process.env['NODE_COMPILE_CACHE'] ??= join(ROOT, 'node_modules', '.cache', 'node');
}

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** A failed test, with what it said: said again at the end, where the last lines of a long output are all that is kept. */
interface Failure {
  name: string;
  file: string | undefined;
  said: string;
}

/** Seconds that the tests of a file took, by file: where to look when the whole takes too long. */
type Seconds = Map<string, number>;

async function runTests(files: string[], signal: AbortSignal): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  const seconds: Seconds = new Map();
  const failures: Failure[] = [];
  const stream = run({
    files: files.map((file) => join(ROOT, file)),
    concurrency: CONCURRENCY,
    timeout: FILE_TIMEOUT,
    cwd: ROOT,
    signal,
  });
  for (const ended of ['test:pass', 'test:fail'] as const) {
    stream.on(ended, ({ nesting, file, details }) => {
      if (nesting === 0 && file) seconds.set(file, (seconds.get(file) ?? 0) + details.duration_ms / 1000);
    });
  }
  stream.on('test:pass', (event) => {
    if (event.details.type === 'suite') return;
    counts[event.skip === undefined && event.todo === undefined ? 'passed' : 'skipped'] += 1;
  });
  stream.on('test:fail', (event) => {
    // A suite fails because a test of it did; that one is counted.
    if (event.details.type === 'suite' && event.details.error.cause === undefined) return;
    if (event.details.type === 'suite') return;
    counts[event.todo === undefined ? 'failed' : 'skipped'] += 1;
    if (event.todo !== undefined) return;
    const { cause, message } = event.details.error;
    failures.push({ name: event.name, file: event.file, said: cause instanceof Error ? `${cause.stack}` : message });
  });
  const report = stream.compose(spec);
  report.pipe(process.stdout, { end: false });
  await finished(report, { writable: false });
  if (files.length > SLOWEST) printSlowest(seconds);
  for (const failure of failures) printFailure(failure);
  return counts;
}

function printSlowest(seconds: Seconds): void {
  const slowest = [...seconds].sort(([, a], [, b]) => b - a).slice(0, SLOWEST);
  for (const [file, took] of slowest)
    process.stdout.write(`${took.toFixed(0).padStart(5)} s  ${relative(ROOT, file)}\n`);
}

function printFailure({ name, file, said }: Failure): void {
  const lines = said.split('\n').slice(0, SAID_AGAIN);
  process.stdout.write(`failed: ${name} (${file ? relative(ROOT, file) : 'no file'})\n`);
  for (const line of lines) process.stdout.write(`    ${line.slice(0, 300)}\n`);
}

/** Processes that the tests started and did not end: they inherited the temporary directory's name. */
function leftBehind(temporary: string): { pid: number; argv: string[] }[] {
  return listProcesses().filter(({ pid, cwd }) => {
    if (pid === process.pid) return false;
    if (cwd.startsWith(temporary)) return true;
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`TMPDIR=${temporary}`);
    } catch {
      return false;
    }
  });
}

async function main(): Promise<number> {
  const files = testFiles(process.argv.slice(2));
  installTools(files);
  const private_ = mkdtempSync(join(tmpdir(), 'caudal-test-'));
  chmodSync(private_, 0o711);
  const temporary = join(private_, 'tmp');
  mkdirSync(temporary);
  chmodSync(temporary, 0o1777);
  cleanEnvironment(temporary);

  const abort = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => abort.abort());
  let postgres: RunningPostgres | undefined;
  let counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  try {
    if (!process.env['CAUDAL_TEST_DATABASE_URL']) {
      const log = createLogger({ level: 'warn', service: 'caudal-test', instance: 'test' });
      postgres = await startPostgres({
        dir: join(private_, 'postgres'),
        log,
        durable: false,
        settings: { max_connections: '300' },
      });
      process.env['CAUDAL_TEST_DATABASE_URL'] = postgres.url.replace(/\/caudal$/, '/postgres');
    }
    if (files.length > 0) counts = await runTests(files, abort.signal);
    counts.failed += await endLeftBehind(temporary);
  } finally {
    await postgres?.stop();
    for (const entry of existsSync(temporary) ? readdirSync(temporary) : []) {
      process.stdout.write(`left in the temporary directory: ${entry}\n`);
    }
    rmSync(private_, { recursive: true, force: true });
  }
  if (files.length === 0) process.stdout.write('no test file matches\n');
  if (abort.signal.aborted) process.stdout.write('interrupted\n');
  process.stdout.write(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
  return counts.failed > 0 || counts.passed === 0 || abort.signal.aborted ? 1 : 0;
}

async function endLeftBehind(temporary: string): Promise<number> {
  const left = leftBehind(temporary);
  for (const { pid, argv } of left) process.stdout.write(`left running: ${pid} ${argv.join(' ').slice(0, 200)}\n`);
  await endProcesses(
    left.map(({ pid }) => pid),
    [
      { signal: 'SIGTERM', wait: 3000 },
      { signal: 'SIGKILL', wait: 3000 },
    ],
  );
  return left.length;
}

process.exitCode = await main();
