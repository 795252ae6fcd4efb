import type { Accounting } from '#contract/accounting.ts';
import type { File } from '#contract/files.ts';
import type { Task } from '#contract/tasks.ts';
import { formatDuration } from '#kernel/duration.ts';
import { type Context, EXIT } from './command.ts';
import { type Style, type Terminal, visible } from './terminal.ts';
import { alignmentOf, cell, textTable } from './text-table.ts';

/** The usual list of the API. */
export interface List<T> {
  items: T[];
  next_cursor: string | null;
}

/** A list as JSON or as a table, an empty one in the words for it. */
export function showList<T>(
  { terminal, flag }: Context,
  list: List<T>,
  titles: string[],
  row: (item: T) => string[],
  empty?: string,
): number {
  if (flag('json')) terminal.json(list);
  else if (list.items.length === 0 && empty !== undefined) terminal.note(empty);
  else terminal.line(textTable(terminal, titles, list.items.map(row)));
  return EXIT.ok;
}

export interface RowsAnswer {
  columns: { name: string; type: string }[];
  rows: Record<string, unknown>[];
  next_cursor?: string | null;
  version?: number;
}

export function showRows(terminal: Terminal, { columns, rows }: RowsAnswer, widest?: number): void {
  if (columns.length === 0) return;
  terminal.line(
    textTable(
      terminal,
      columns.map(({ name, type }) => ({ name, align: alignmentOf(type) })),
      rows.map((row) => columns.map(({ name }) => cell(row[name]))),
      widest,
    ),
  );
}

const STATES: Record<string, Style> = {
  loaded: 'green',
  succeeded: 'green',
  alive: 'green',
  failed: 'red',
  healthy: 'green',
  off_slo: 'yellow',
  silent: 'red',
  loading: 'yellow',
  running: 'yellow',
};

export function painted(terminal: Terminal, state: string): string {
  const style = STATES[state];
  return style ? terminal.paint(style, state) : state;
}

/** Pairs under each other; values that are not there are left out. */
export function showFacts(terminal: Terminal, facts: (readonly [string, string | number | null | undefined])[]): void {
  const known = facts.filter(([, value]) => value !== undefined && value !== null && value !== '');
  const width = Math.max(0, ...known.map(([name]) => name.length));
  for (const [name, value] of known) {
    terminal.line(`${terminal.paint('dim', name.padEnd(width))}  ${String(value)}`);
  }
}

/** "read 1,000 = accepted 997 + quarantined 3 + duplicates 0" */
export function accountingLine(accounting: Accounting): string {
  const { read, accepted, quarantined, duplicates } = accounting;
  const balanced = read === accepted + quarantined + duplicates;
  const sum = `accepted ${count(accepted)} + quarantined ${count(quarantined)} + duplicates ${count(duplicates)}`;
  return `read ${count(read)} ${balanced ? '=' : '≠'} ${sum}`;
}

export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** "2026-05-04 12:30:01" in UTC: sorts, and is the same for everybody. */
export function instant(text: string | null | undefined): string {
  return text ? text.slice(0, 19).replace('T', ' ') : '';
}

export function lasted(task: Pick<Task, 'started_at' | 'finished_at'>): string {
  if (!task.started_at || !task.finished_at) return '';
  return formatDuration(Date.parse(task.finished_at) - Date.parse(task.started_at));
}

/** What became of a file, in lines a person can act on. */
export function showFile(terminal: Terminal, file: File): void {
  const loads = file.loads ?? [];
  showFacts(terminal, [
    ['file', visible(file.filename)],
    ['id', file.id],
    ['state', painted(terminal, file.state)],
    ['size', `${count(file.size)} bytes`],
    ['sha256', file.sha256],
    ['created', instant(file.created_at)],
    ['trace', file.trace_id],
  ]);
  for (const load of loads) {
    terminal.line(
      `\n${terminal.paint('bold', visible(load.dataset))}${load.table ? `  (${visible(load.table)})` : ''}`,
    );
    showFacts(terminal, [
      ['rows', accountingLine(load.accounting)],
      ['version', load.version],
      ['sniffed', sniffedLine(load.sniffed)],
      ['note', load.note],
    ]);
    for (const { line, why } of load.accounting.skipped.slice(0, 5))
      terminal.line(`  line ${line} is no record: ${visible(why)}`);
  }
  if (file.error) showError(terminal, file.error);
}

export function sniffedLine(sniffed: Record<string, unknown>): string {
  return Object.entries(sniffed)
    .map(
      ([name, value]) =>
        `${name}=${typeof value === 'string' ? visible(JSON.stringify(value)) : JSON.stringify(value)}`,
    )
    .join(' ');
}

export function showError(terminal: Terminal, error: { code: string; message: string; hint?: string }): void {
  terminal.note(`${terminal.paint('red', 'error:')} ${visible(error.message)}  (${error.code})`);
  if (error.hint) terminal.note(`       ${visible(error.hint)}`);
}
