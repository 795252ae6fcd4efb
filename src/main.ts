import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { run } from './cli/run.ts';

/** The front door. `.env` in the checkout completes the environment; what is set already wins. */
const ROOT = join(import.meta.dirname, '..');

function environment(): Record<string, string | undefined> {
  let file = '';
  try {
    file = readFileSync(join(ROOT, '.env'), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return { ...parseEnv(file), ...process.env };
}

const interrupt = new AbortController();
// The first Ctrl-C asks a command to end; `up` and `serve` listen for more themselves.
process.once('SIGINT', () => interrupt.abort());

// `caudal rows … | head`: whoever read us has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };

const code = await run({
  argv: process.argv.slice(2),
  env: environment(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: interrupt.signal,
  version,
  root: ROOT,
  program: [process.execPath, import.meta.filename],
});
// What a failed start left open must not keep a process alive; pipes and files are written synchronously here.
process.exit(code);
