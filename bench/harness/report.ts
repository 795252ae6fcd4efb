import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os';

/** One line of the table. */
export interface Line {
  row: number;
  work: string;
  caudal: string;
  reference: string;
  ratio: string;
  mark: string;
  /** Undefined: it could not be measured here, `note` says why; or it has no mark (`—`) and is shown for its growth. */
  held: boolean | undefined;
  /** CPU seconds and memory, both sides. */
  cost?: string;
  note?: string;
}

const HEADINGS = ['#', 'work', 'Caudal', 'reference', 'ratio', 'mark', '', 'CPU, memory'];

function cells(line: Line): string[] {
  const unknown = line.mark === '—' ? '' : 'skipped';
  const verdict = line.held === undefined ? unknown : line.held ? 'held' : '**missed**';
  return [String(line.row), line.work, line.caudal, line.reference, line.ratio, line.mark, verdict, line.cost ?? ''];
}

/** Markdown that is also readable on a terminal. */
export function table(lines: readonly Line[]): string {
  return markdown(lines.map(cells), notesOf(lines));
}

const notesOf = (lines: readonly Line[]) => lines.flatMap((line) => (line.note ? [`- ${line.row}: ${line.note}`] : []));

function markdown(body: readonly string[][], notes: readonly string[]): string {
  const rows = [HEADINGS, ...body];
  const widths = HEADINGS.map((_, column) => Math.max(3, ...rows.map((row) => (row[column] ?? '').length)));
  const text = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [text(HEADINGS), rule, ...body.map(text), ...(notes.length > 0 ? ['', ...notes] : [])].join('\n');
}

const BEGIN = '<!-- written by `make bench`: begin -->';
const END = '<!-- written by `make bench`: end -->';

/** What the document has of earlier runs: when each was, the table's body and its notes, all by their row's number. */
interface Written {
  runs: { rows: number[]; when: string }[];
  body: string[][];
  notes: string[];
}

function written(block: string): Written {
  const lines = block.split('\n');
  const found = (pattern: RegExp) => lines.filter((line) => pattern.test(line));
  return {
    runs: lines.flatMap((line) => {
      const [, rows, when] = /^- rows? ([\d, ]+): (.*)$/.exec(line) ?? [];
      return rows && when ? [{ rows: rows.split(', ').map(Number), when }] : [];
    }),
    body: found(/^\| \d.*\|$/).map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    ),
    notes: found(/^- \d+: .*$/),
  };
}

/**
 * Puts lines, their run and the machine between the marks of `docs/benchmarks.md`. Rows that were not measured this
 * time stay, with the run that they are of; so does the prose around.
 */
export function writeReport(path: string, lines: readonly Line[]): void {
  const text = readFileSync(path, 'utf8');
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`${path} has lost the marks between which the table is written`);
  const before = written(text.slice(begin, end));
  const measured = new Set(lines.map((line) => line.row));
  const kept = (of: string) => !measured.has(Number.parseInt(of, 10));
  const byRow = (a: string, b: string) => Number.parseInt(a, 10) - Number.parseInt(b, 10);
  const runs = [
    ...before.runs.map((run) => ({ ...run, rows: run.rows.filter((row) => !measured.has(row)) })),
    { rows: [...measured].sort((a, b) => a - b), when: machine() },
  ].filter((run) => run.rows.length > 0);
  const body = [...before.body.filter(([row]) => kept(row ?? '')), ...lines.map(cells)];
  const notes = [...before.notes.filter((note) => kept(note.slice(2))), ...notesOf(lines)];
  const block = [
    BEGIN,
    '',
    ...runs.map((run) => `- row${run.rows.length > 1 ? 's' : ''} ${run.rows.join(', ')}: ${run.when}`),
    '',
    markdown(
      body.sort(([a = ''], [b = '']) => byRow(a, b)),
      notes.sort((a, b) => byRow(a.slice(2), b.slice(2))),
    ),
    '',
    END,
  ].join('\n');
  writeFileSync(path, text.slice(0, begin) + block + text.slice(end + END.length));
}

export function machine(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  const load = loadavg()
    .map((each) => each.toFixed(1))
    .join(' ');
  return `${new Date().toISOString().slice(0, 10)}, ${availableParallelism()} × ${model}, ${Math.round(totalmem() / 1e9)} GB, ${platform()} ${release()}, Node ${process.version}, load before ${load}`;
}
