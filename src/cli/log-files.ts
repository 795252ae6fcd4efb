import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { lastLines } from '#platform/process/last-lines.ts';
import { type Context, EXIT, UsageError } from './command.ts';
import { followFile } from './log-lines.ts';
import { LEVELS, type ShownLine, showLine } from './log-shown.ts';

/** The files of this machine: they are there when nothing answers, and to the last line of who died. */
export async function showLogFiles(context: Context, count: number): Promise<number> {
  const files = logFiles(context);
  const wanted = filter(context);
  const width = Math.max(...files.map(({ name }) => name.length));
  const show = (name: string, line: string) => {
    const entry = parseLine(line);
    if (!wanted(entry)) return;
    if (context.flag('json')) context.terminal.line(line);
    else showLine(context.terminal, name.padEnd(width), entry);
  };
  const found = (
    await Promise.all(
      files.map(async ({ name, path }) => (await lastLines(path, count)).map((line) => ({ name, line }))),
    )
  ).flat();
  for (const { name, line } of found.sort((a, b) => parseLine(a.line).time.localeCompare(parseLine(b.line).time)))
    show(name, line);
  if (context.flag('follow')) {
    await Promise.all(files.map(({ name, path }) => followFile(path, context.signal, (line) => show(name, line))));
  }
  return EXIT.ok;
}

const directoryOf = (context: Context): string => join(context.config().dataDir, 'logs');

/** Names of the processes that write files here. */
export function logNames(context: Context): string[] {
  const directory = directoryOf(context);
  if (!existsSync(directory)) return [];
  return readdirSync(directory).flatMap((file) => (file.endsWith('.log') ? [file.slice(0, -4)] : []));
}

function logFiles(context: Context): { name: string; path: string }[] {
  const directory = directoryOf(context);
  const names = logNames(context);
  const [role] = context.args;
  const chosen = role === undefined ? names : names.filter((name) => name === role || name.startsWith(`${role}-`));
  if (chosen.length > 0) return chosen.sort().map((name) => ({ name, path: join(directory, `${name}.log`) }));
  throw new UsageError(
    names.length === 0 ? `There are no logs in ${directory}.` : `There is no log of "${role}".`,
    names.length === 0
      ? 'Is CAUDAL_DATA_DIR the directory of the running Caudal?'
      : `There are ${names.sort().join(', ')}.`,
  );
}

const PLUMBING = new Set(['time', 'level', 'message', 'service.name', 'service.instance.id', 'span_id']);
const POSTGRES = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d\.\d{3}) UTC \[\d+\] (\w+):\s+(.*)$/s;
const POSTGRES_LEVEL: Record<string, string> = {
  LOG: 'info',
  WARNING: 'warn',
  ERROR: 'error',
  FATAL: 'error',
  PANIC: 'fatal',
};

function parseLine(line: string): ShownLine {
  try {
    const entry = JSON.parse(line) as Record<string, unknown>;
    const rest = Object.fromEntries(Object.entries(entry).filter(([key]) => !PLUMBING.has(key)));
    const { time, level, message } = entry;
    return { time: String(time ?? ''), level: String(level ?? 'info'), message: String(message ?? ''), rest };
  } catch {
    const [, date, time, level = '', message] = POSTGRES.exec(line) ?? [];
    return {
      time: date ? `${date}T${time}Z` : '',
      level: POSTGRES_LEVEL[level] ?? 'info',
      message: message ?? line,
      rest: {},
    };
  }
}

function filter(context: Context): (entry: ShownLine) => boolean {
  const level = context.text('level');
  const least = level === undefined ? 0 : LEVELS.indexOf(level);
  if (least < 0) throw new UsageError(`--level is one of ${LEVELS.join(', ')}.`);
  const trace = context.text('trace');
  return (entry) => LEVELS.indexOf(entry.level) >= least && (trace === undefined || entry.rest['trace_id'] === trace);
}
