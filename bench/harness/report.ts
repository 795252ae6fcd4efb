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
  const rows = [HEADINGS, ...lines.map(cells)];
  const widths = HEADINGS.map((_, column) => Math.max(3, ...rows.map((row) => (row[column] ?? '').length)));
  const text = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  const notes = lines.flatMap((line) => (line.note ? [`- ${line.row}: ${line.note}`] : []));
  return [text(HEADINGS), rule, ...rows.slice(1).map(text), ...(notes.length > 0 ? ['', ...notes] : [])].join('\n');
}

const BEGIN = '<!-- written by `make bench`: begin -->';
const END = '<!-- written by `make bench`: end -->';

/** Puts the table, the machine and the command between the marks of `docs/benchmarks.md`; the prose around stays. */
export function writeReport(path: string, lines: readonly Line[], command: string): void {
  const text = readFileSync(path, 'utf8');
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`${path} has lost the marks between which the table is written`);
  const block = [BEGIN, '', `\`${command}\`, ${machine()}`, '', table(lines), '', END].join('\n');
  writeFileSync(path, text.slice(0, begin) + block + text.slice(end + END.length));
}

export function machine(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  const load = loadavg()
    .map((each) => each.toFixed(1))
    .join(' ');
  return `${new Date().toISOString().slice(0, 10)}, ${availableParallelism()} × ${model}, ${Math.round(totalmem() / 1e9)} GB, ${platform()} ${release()}, Node ${process.version}, load before ${load}`;
}
