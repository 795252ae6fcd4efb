import { parseArgs } from 'node:util';
import { type Config, type Environment, InvalidConfig, readConfig } from '#config';
import { CaudalError } from '#kernel/errors.ts';
import { Refused, Unreachable } from './client.ts';
import { type Command, type Context, EXIT, UsageError } from './command.ts';
import { connect } from './connect.ts';
import { explain, HELP, overview } from './help.ts';
import { suggest } from './suggest.ts';
import { COMMANDS, type CommandName, isCommand } from './table.ts';
import { openTerminal, type Terminal, visible } from './terminal.ts';

export interface Invocation {
  argv: string[];
  env: Environment;
  stdin: NodeJS.ReadStream;
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
  version: string;
  root: string;
  program: readonly [string, string];
}

/** Runs one command line. @returns its exit code; never rejects. */
export async function run(invocation: Invocation): Promise<number> {
  const terminal = openTerminal(invocation);
  try {
    return await dispatch(invocation, terminal);
  } catch (error) {
    if (invocation.signal.aborted) return EXIT.interrupted;
    return complain(terminal, error);
  }
}

async function dispatch(invocation: Invocation, terminal: Terminal): Promise<number> {
  const [first = 'help', ...rest] = invocation.argv;
  if (first === '--version' || first === '-V' || first === 'version') {
    terminal.line(`caudal ${invocation.version}`);
    return EXIT.ok;
  }
  const asked = first === '--help' || first === '-h' || first === 'help';
  const name = asked ? rest[0] : first;
  if (name === undefined) {
    terminal.line(overview(terminal));
    return EXIT.ok;
  }
  if (!isCommand(name)) {
    const near = suggest(name, Object.keys(COMMANDS));
    throw new UsageError(
      `There is no command "${name}".`,
      near ? `Did you mean: caudal ${near}` : 'caudal help lists them.',
    );
  }
  const { command } = await COMMANDS[name].load();
  const parsed = asked ? undefined : parse(command, name, rest);
  if (!parsed || parsed.values['help']) {
    terminal.line(explain(terminal, name, command));
    return EXIT.ok;
  }
  const context = contextOf(invocation, terminal, parsed);
  const work = async () => (await command.run(context)) ?? EXIT.ok;
  if (!command.traced) return work();
  // Tracing is most of what a command line would load; only what is traced waits for it.
  const { traced } = await import('./traced.ts');
  return traced(name, context, work);
}

type Values = Record<string, string | boolean | (string | boolean)[] | undefined>;

interface Parsed {
  values: Values;
  positionals: string[];
}

function parse(command: Command, name: CommandName, argv: string[]): Parsed {
  const known = { ...command.options, help: HELP };
  const options = Object.fromEntries(
    Object.entries(known).map(([long, { type, short, multiple }]) => [
      long,
      { type, multiple: multiple ?? false, ...(short ? { short } : {}) },
    ]),
  );
  const parsed = parsedOrExplained(
    () => parseArgs({ args: joined(argv, options), options, allowPositionals: true }),
    Object.keys(known),
    name,
  );
  const { min, max } = command.arguments ?? { min: 0, max: 0 };
  const count = parsed.positionals.length;
  if (!parsed.values['help'] && (count < min || count > max)) {
    throw new UsageError(
      count < min ? 'Something is missing.' : `There is too much: ${parsed.positionals.slice(max).join(' ')}`,
      `Usage: caudal ${command.usage}`,
    );
  }
  return parsed as Parsed;
}

/** `--order -date` is a value that begins with a dash, which Node takes only as `--order=-date`. */
function joined(argv: string[], options: Record<string, { type: 'string' | 'boolean' }>): string[] {
  const args: string[] = [];
  for (const arg of argv) {
    const option = args.at(-1)?.match(/^--([^=]+)$/)?.[1];
    const value = option !== undefined && options[option]?.type === 'string' && /^-[^-]/.test(arg);
    if (value) args.push(`${args.pop()}=${arg}`);
    else args.push(arg);
  }
  return args;
}

function parsedOrExplained<T>(work: () => T, known: string[], name: CommandName): T {
  try {
    return work();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (!code?.startsWith('ERR_PARSE_ARGS')) throw error;
    const unknown = /^Unknown option '--?([^' =]+)/.exec(message)?.[1];
    const near = unknown && suggest(unknown, known);
    throw new UsageError(
      unknown ? `caudal ${name} has no option --${unknown}.` : (message.split('\n')[0] ?? message),
      near ? `Did you mean --${near}?` : `caudal ${name} --help lists them.`,
    );
  }
}

function contextOf(invocation: Invocation, terminal: Terminal, { values, positionals }: Parsed): Context {
  let config: Config | undefined;
  const { env, stdin, stdout, signal, version, root, program } = invocation;
  const context: Context = {
    args: positionals,
    flag: (name) => values[name] === true,
    text: (name) => (typeof values[name] === 'string' ? values[name] : undefined),
    all: (name) => (Array.isArray(values[name]) ? values[name].map(String) : []),
    terminal,
    env,
    stdin,
    stdout,
    signal,
    version,
    root,
    program,
    config() {
      config ??= readConfig(env);
      return config;
    },
    client: () => connect(context.config(), signal),
    flush: () => Promise.resolve(),
  };
  return context;
}

/** The error in words, then what to do about it; the code says of which kind it is. */
function complain(terminal: Terminal, error: unknown): number {
  const red = (text: string) => terminal.paint('red', text);
  const say = (message: string, hint?: string) => {
    terminal.note(`${red('error:')} ${visible(message)}`);
    if (hint) terminal.note(`       ${visible(hint)}`);
  };
  if (error instanceof UsageError) {
    say(error.message, error.hint);
    return EXIT.usage;
  }
  if (error instanceof InvalidConfig) {
    terminal.note(`${red('error:')} ${error.message}`);
    return EXIT.usage;
  }
  if (error instanceof Unreachable) {
    say(error.message, error.hint);
    return EXIT.unreachable;
  }
  if (error instanceof Refused) {
    say(error.message, error.hint);
    for (const { field, message } of error.fields) terminal.note(`       ${visible(field)}: ${visible(message)}`);
    terminal.note(
      terminal.paint(
        'dim',
        `       ${error.code}, HTTP ${error.status}${error.trace_id ? `, trace ${error.trace_id}` : ''}`,
      ),
    );
    return error.status === 401 || error.status === 403 ? EXIT.denied : EXIT.failed;
  }
  say((error as Error).message, error instanceof CaudalError ? error.hint : undefined);
  return EXIT.failed;
}
