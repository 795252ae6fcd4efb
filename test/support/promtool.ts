import { spawnSync } from 'node:child_process';
import { quoted } from '#contract/metrics/print.ts';
import { type Labels, NAME, type Series } from '#contract/metrics/series.ts';

/** Debian's package `prometheus`; where it is missing the tests that compare with it are skipped. */
export const needsPromtool = installed('promtool');
export const needsAmtool = installed('amtool');

function installed(program: string): false | string {
  return spawnSync(program, ['--version']).status === 0 ? false : `no ${program}: install Debian's prometheus packages`;
}

/** One value of promtool's notation: a number, a gap, or the end of the series. */
export type Cell = number | '_' | 'stale';

/** `10+5x3 _ _x2 stale NaN` → cells. Undefined for what is no such text (native histograms). */
export function parseCells(text: string): Cell[] | undefined {
  const cells: Cell[] = [];
  for (const word of text.trim().split(/\s+/)) {
    const gap = /^_(?:x(\d+))?$/.exec(word);
    const run = /^(-?[\d.e]+)(?:([+-][\d.e]+))?x(\d+)$/.exec(word);
    if (gap) cells.push(...Array<Cell>(Number(gap[1] ?? 1)).fill('_'));
    else if (word === 'stale') cells.push('stale');
    else if (run) {
      const [first, step, count] = [Number(run[1]), Number(run[2] ?? 0), Number(run[3])];
      for (let i = 0; i <= count; i += 1) cells.push(first + step * i);
    } else if (/^(NaN|[+-]?Inf|-?[\d.]+(e[+-]?\d+)?)$/.test(word)) cells.push(numberOf(word));
    else return undefined;
  }
  return cells;
}

function numberOf(word: string): number {
  return /Inf/.test(word) ? (word.startsWith('-') ? -Infinity : Infinity) : Number(word);
}

export function seriesOf(labels: Labels, cells: readonly Cell[], interval: number): Series {
  const times: number[] = [];
  const values: number[] = [];
  const stale = new Set<number>();
  for (const [index, cell] of cells.entries()) {
    if (cell === '_') continue;
    if (cell === 'stale') stale.add(times.length);
    times.push(index * interval);
    values.push(cell === 'stale' ? Number.NaN : cell);
  }
  return { labels, times, values, stale };
}

export function cellText(cell: Cell): string {
  if (typeof cell === 'string') return cell;
  return Number.isNaN(cell) ? 'NaN' : Number.isFinite(cell) ? String(cell) : cell > 0 ? 'Inf' : '-Inf';
}

/** `m{a="b"}`, as promtool writes series and samples. */
export function metricText(labels: Labels): string {
  const rest = Object.entries(labels).filter(([name]) => name !== NAME);
  return `${labels[NAME] ?? ''}{${rest.map(([name, value]) => `${name}=${quoted(value)}`).join(',')}}`;
}

/** JSON is YAML but for the infinities. */
export function toYaml(value: unknown): string {
  const marked = JSON.stringify(value, (_, each: unknown) =>
    each === Infinity ? '<inf>' : each === -Infinity ? '<-inf>' : each,
  );
  return marked.replaceAll('"<inf>"', '.inf').replaceAll('"<-inf>"', '-.inf');
}

export function testRules(files: readonly string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', ...files], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  return { status, output: `${stdout}${stderr}` };
}
