import { Unreachable } from '../client.ts';
import { type Command, type Context, UsageError } from '../command.ts';
import { logNames, showLogFiles } from '../log-files.ts';
import { LEVELS } from '../log-shown.ts';
import { showStoredLogs } from '../log-store.ts';

export const command: Command = {
  usage: 'logs [SERVICE] [--follow] [--level LEVEL] [--query TEXT] [--lines N] [--files]',
  description:
    'Reads the telemetry store: api, worker, telemetry (of all machines), or any service that sends its logs here. While nothing answers, with --files, and for supervisor, postgres or one process (worker-2) it reads <data>/logs on this machine.',
  examples: [
    ['caudal logs worker --follow', 'as they come, from every worker'],
    ['caudal logs --level warn --since 2026-05-04T12:00:00Z', 'what went wrong since then, anywhere'],
    ['caudal logs checkout --query declined', 'of a program of yours'],
    ['caudal logs postgres', 'the embedded database, from its file'],
  ],
  options: {
    follow: { type: 'boolean', short: 'f', doc: 'Go on as lines come' },
    level: { type: 'string', value: 'LEVEL', doc: `At least this severe: ${LEVELS.join(', ')}` },
    query: { type: 'string', short: 'q', value: 'TEXT', doc: 'Lines that hold this text' },
    system: { type: 'string', value: 'NAME', doc: 'Only of this system (service.namespace)' },
    instance: { type: 'string', value: 'ID', doc: 'Only of this instance' },
    trace: { type: 'string', value: 'ID', doc: 'Only lines of this trace' },
    since: { type: 'string', value: 'TIME', doc: 'Not before this time (RFC 3339)' },
    lines: { type: 'string', short: 'n', value: 'N', doc: 'The last N, of files of each (default 50)' },
    files: { type: 'boolean', doc: 'From the files of this machine' },
    json: { type: 'boolean', doc: 'As JSON, one a line' },
  },
  arguments: { min: 0, max: 1 },
  async run(context) {
    const level = context.text('level');
    if (level !== undefined && !LEVELS.includes(level)) throw new UsageError(`--level is one of ${LEVELS.join(', ')}.`);
    const count = Number(context.text('lines') ?? 50);
    if (!Number.isInteger(count) || count < 0) throw new UsageError('--lines must be a whole number.');
    if (wantsFiles(context)) return showLogFiles(context, count);
    try {
      return await showStoredLogs(context, await context.client(), count);
    } catch (error) {
      if (!(error instanceof Unreachable) || logNames(context).length === 0) throw error;
      context.terminal.note('Caudal does not answer: these are the files of this machine.');
      return showLogFiles(context, count);
    }
  },
};

/** What only stores know cannot be asked of files. */
const OF_THE_STORE = ['query', 'system', 'instance', 'since'];
const ROLES = ['api', 'worker', 'telemetry'];

function wantsFiles(context: Context): boolean {
  const [name] = context.args;
  const asked = OF_THE_STORE.filter((option) => context.text(option) !== undefined);
  if (context.flag('files')) {
    if (asked.length > 0) throw new UsageError(`--${asked[0]} is for the telemetry store, not for files.`);
    return true;
  }
  return asked.length === 0 && name !== undefined && !ROLES.includes(name) && logNames(context).includes(name);
}
