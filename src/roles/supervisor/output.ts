import type { LogFile } from './log-file.ts';

/** What a person sees of a process's log on the terminal: warnings and worse, in one line each. */
export interface Shown {
  level: string;
  message: string;
}

const LOUD = new Set(['warn', 'error', 'fatal']);

/**
 * One line of a role's output as a person should see it on the terminal; undefined when the log
 * file is enough for it. What is no JSON did not come from the logger: a crash, and so shown.
 */
export function forPeople(line: string): Shown | undefined {
  const entry = parse(line);
  if (!entry) return line.trim() === '' ? undefined : { level: 'error', message: line };
  const level = String(entry['level'] ?? '');
  if (!LOUD.has(level)) return undefined;
  const error = entry['err'] as { message?: unknown } | undefined;
  const cause = error?.message === undefined ? '' : `: ${String(error.message)}`;
  return { level, message: `${String(entry['message'] ?? '')}${cause}` };
}

function parse(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** Keeps a role's line in its file; lines that are no JSON become such, so that the file stays readable by machines. */
export function keep(file: LogFile, line: string, now: Date): void {
  const whole = parse(line) ? line : JSON.stringify({ level: 'error', time: now.toISOString(), message: line });
  file.write(`${whole}\n`);
}
