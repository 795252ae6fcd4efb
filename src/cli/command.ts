import type { Config, Environment } from '#config';
import type { Client } from './client.ts';
import type { Terminal } from './terminal.ts';

/** What a shell script can rely on; `caudal help` prints it. */
export const EXIT = {
  ok: 0,
  /** The work failed: refused, not found, a load that ended badly. */
  failed: 1,
  /** The command line or the settings are wrong. */
  usage: 2,
  /** No Caudal answers at that URL. */
  unreachable: 3,
  /** The token is missing, wrong or too small. */
  denied: 4,
  /** Ctrl-C. */
  interrupted: 130,
} as const;

export interface Option {
  type: 'string' | 'boolean';
  short?: string;
  /** May be given several times. */
  multiple?: boolean;
  /** How its value is called in the help, such as NAME. */
  value?: string;
  doc: string;
}

export interface Command {
  /** After `caudal`, such as `upload FILE… [options]`. */
  usage: string;
  /** More than the summary, where it helps. */
  description?: string;
  /** [command, what it does] */
  examples: readonly (readonly [string, string])[];
  options: Record<string, Option>;
  /** How many arguments it takes. */
  arguments?: { min: number; max: number };
  /** Talks to the gateway, so it is traced. */
  traced?: boolean;
  /** @returns an exit code, 0 when nothing. */
  run(context: Context): Promise<number | undefined>;
}

/** What a command is given. Nothing is read from the process itself. */
export interface Context {
  args: string[];
  flag(name: string): boolean;
  text(name: string): string | undefined;
  all(name: string): string[];
  terminal: Terminal;
  env: Environment;
  stdin: NodeJS.ReadStream;
  stdout: NodeJS.WriteStream;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
  version: string;
  /** The checkout. */
  root: string;
  /** How to start another process of this program. */
  program: readonly [string, string];
  /** @throws InvalidConfig */
  config(): Config;
  /** @throws Unreachable when there is no URL or token to be found. */
  client(): Promise<Client>;
  /** Sends the spans made so far, so that they can be looked at. */
  flush(): Promise<void>;
}

/** The command line is wrong: exit code 2 and a line on how it is right. */
export class UsageError extends Error {
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.name = 'UsageError';
    this.hint = hint;
  }
}
