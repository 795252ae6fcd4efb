import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import type { Context } from './command.ts';

export const TEXT_ARGUMENT = 'a JSON text, @FILE, or - for standard input';

/** What an option that takes `TEXT_ARGUMENT` stands for. */
export async function textArgument({ stdin }: Pick<Context, 'stdin'>, value: string): Promise<string> {
  if (value === '-') return text(stdin);
  return value.startsWith('@') ? readFile(value.slice(1), 'utf8') : value;
}

export function isJson(body: string): boolean {
  try {
    JSON.parse(body);
    return true;
  } catch {
    return false;
  }
}
