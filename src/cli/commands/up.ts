import { join } from 'node:path';
import { formatDuration } from '#kernel/duration.ts';
import { createLogger } from '#platform/observe/log.ts';
import type { LineSender } from '#platform/observe/sdk.ts';
import { returnStartupMemory } from '#platform/process/startup-memory.ts';
import type { Tell } from '#roles/supervisor/fleet.ts';
import { openLogFile } from '#roles/supervisor/log-file.ts';
import { type Installation, up } from '#roles/supervisor/up.ts';
import { type Command, type Context, EXIT } from '../command.ts';
import { displayWidth, type Terminal, visible } from '../terminal.ts';

export const command: Command = {
  usage: 'up [--demo]',
  description:
    'Starts PostgreSQL (unless DATABASE_URL is set), migrates it, starts the processes and keeps them running.\n' +
    'Ctrl-C drains and stops everything; a second Ctrl-C does not wait for running work.',
  examples: [
    ['caudal up', 'start, and stay'],
    ['CAUDAL_PORT=8080 CAUDAL_DATA_DIR=/var/lib/caudal caudal up', 'another port, another place'],
  ],
  options: {
    demo: { type: 'boolean', doc: 'On an empty data directory, show the main job' },
  },
  async run(context) {
    const started = performance.now();
    const stop = stopRequests();
    const installation = await start({ ...context, signal: stop.signal });
    try {
      returnStartupMemory();
      welcome(context, installation, performance.now() - started);
      if (context.flag('demo')) await Promise.race([demonstrate(context, installation), stop.first]);
      await stop.first;
      context.terminal.note('\nstopping: running work may finish (Ctrl-C again to stop at once)');
    } finally {
      void stop.second.then(() => installation.stopNow());
      await installation.stop();
    }
    context.terminal.note('stopped');
    return EXIT.ok;
  },
};

/** Starts the installation of `context`'s settings; also for `caudal demo`, on a directory of its own. */
export function start(context: Context): Promise<Installation> {
  const config = context.config();
  const file = openLogFile(join(config.dataDir, 'logs', 'supervisor.log'), {
    bytes: config.logFileBytes,
    age: config.logFileAge,
  });
  const self = { service: 'caudal-supervisor', instance: String(process.pid) };
  let sender: LineSender | undefined;
  const log = createLogger({
    ...self,
    level: config.logLevel,
    destination: { write: (line) => file.write(line) },
    send: (line) => sender?.send(line),
  });
  const tell: Tell = ({ name, level, message }) => {
    log[level]({ process: name }, message);
    context.terminal.note(spoken(context.terminal, name, level, message));
  };
  return up({
    config,
    env: context.env,
    program: context.program,
    root: context.root,
    log,
    async sendLog({ endpoint, secret }) {
      const { sendLines } = await import('#platform/observe/sdk.ts');
      const { environment } = config;
      const headers = { 'x-caudal-internal': secret };
      const opened = sendLines({ ...self, version: context.version, environment, endpoint, headers, env: context.env });
      sender = opened;
      return () => opened.shutdown(1_000);
    },
    tell,
    signal: context.signal,
  });
}

function spoken(terminal: Terminal, name: string, level: 'info' | 'warn' | 'error', message: string): string {
  const style = level === 'error' ? 'red' : level === 'warn' ? 'yellow' : 'dim';
  return `${terminal.paint('cyan', name.padEnd(10))} ${terminal.paint(style, visible(message))}`;
}

interface StopRequests {
  /** Aborts with the first. */
  signal: AbortSignal;
  first: Promise<void>;
  second: Promise<void>;
}

function stopRequests(): StopRequests {
  const first = Promise.withResolvers<void>();
  const second = Promise.withResolvers<void>();
  const abort = new AbortController();
  let asked = 0;
  const ask = () => {
    asked += 1;
    abort.abort();
    if (asked === 1) first.resolve();
    else second.resolve();
  };
  process.on('SIGINT', ask);
  process.on('SIGTERM', ask);
  return { signal: abort.signal, first: first.promise, second: second.promise };
}

function welcome({ terminal, config, version }: Context, installation: Installation, ms: number): void {
  const facts: [string, string][] = [
    ['ready', `${terminal.paint('bold', installation.url)}  (in ${formatDuration(ms)})`],
    ['data', config().dataDir],
    ['database', installation.database],
  ];
  if (installation.admin)
    facts.push(['operator', `${installation.admin.email}, password in ${join(config().dataDir, 'admin.json')}`]);
  if (installation.signInLink) facts.push(['sign in', `${installation.signInLink}  (works once)`]);
  const width = Math.max(...facts.map(([name]) => displayWidth(name)));
  const lines = facts.map(([name, value]) => `  ${terminal.paint('dim', name.padEnd(width))}  ${value}`);
  // In one write: whoever waits for "ready" finds the rest beside it.
  terminal.line(`\nCaudal ${version}\n${lines.join('\n')}\n`);
}

/** Only on an empty data directory; later starts say what is there. A failing demonstration does not end the installation. */
async function demonstrate(context: Context, installation: Installation): Promise<void> {
  const { admin } = installation;
  if (!admin) return;
  const { createClient } = await import('../client.ts');
  const client = createClient(admin.url, admin.token, context.signal);
  const { demonstrate: show, sayWhatIsThere } = await import('../demo/demonstrate.ts');
  const asked: Context = { ...context, client: () => Promise.resolve(client) };
  try {
    if (installation.fresh) await show(asked);
    else await sayWhatIsThere(asked);
  } catch (error) {
    context.terminal.note(`${context.terminal.paint('red', 'demonstration failed:')} ${(error as Error).message}`);
  }
}
