import type { Grouping } from '#platform/lake/groups.ts';
import type { Cell, CellKind } from '#platform/xlsx/cells.ts';
import { type RowRange, rangeReference, type SheetColumn, type WorkbookWriter } from '#platform/xlsx/workbook.ts';
import type { ReportPlan } from './report-plan.ts';
import { WORDS } from './words.ts';

/** A group as the summary shows it. */
export interface Group {
  labels: Cell[];
  rows: number;
  /** Exact; text where a number has more digits than Excel keeps. */
  totals: { value: number | string; exact: boolean }[];
  /** Where its rows are; none when they are not shown. */
  ranges: RowRange[];
}

/** What ended up in the workbook. */
export interface Made {
  groups: Group[];
  rows: number;
  all: number;
  /** Columns of the detail that the totals add up. */
  places: number[];
}

const KINDS: Record<string, CellKind> = {
  integer: 'number',
  number: 'number',
  boolean: 'boolean',
  date: 'date',
  timestamp: 'timestamp',
  time: 'time',
};

function kindOf(type: string): CellKind {
  return type.startsWith('decimal') ? 'number' : (KINDS[type] ?? 'text');
}

const sumKind = (type: string): CellKind => (type === 'integer' ? 'integer' : 'amount');

function lengthOf(cell: Cell | undefined): number {
  return typeof cell === 'string' ? Math.min(cell.length, 100) : 0;
}

/** Groups, their counts and totals, and the line of totals: formulas over the detail, with the values they have now. */
export async function writeSummary(workbook: WorkbookWriter, plan: ReportPlan, made: Made): Promise<void> {
  const words = WORDS[plan.locale];
  const { by, measures }: Grouping = plan.grouping;
  const columns: SheetColumn[] = [
    ...by.map(({ name, type }, index) => ({
      ...{ name, kind: kindOf(type) },
      width: made.groups.reduce((widest, { labels }) => Math.max(widest, lengthOf(labels[index])), 0),
    })),
    { name: words.count, kind: 'integer' },
    ...measures.map(({ name, type }) => ({ name: words.totalOf(name), kind: sumKind(type), width: 14 })),
  ];
  await workbook.sheet(words.summary, columns, { filter: by.length > 0, first: true });
  const ranges = await workbook.rows(made.groups.map((group) => summaryRow(group, made.places, words.empty)));
  if (by.length > 0) await workbook.rows([totalRow(plan, made, ranges)], { total: true });
}

function summaryRow({ labels, rows, totals, ranges }: Group, places: readonly number[], empty: string): Cell[] {
  const [first] = ranges;
  const shown = labels.map((label, index): Cell => {
    const text = label ?? empty;
    // Only the first leads there: one link per line is what Excel's limit of links allows for.
    return index === 0 && first && typeof text === 'string'
      ? { text, link: rangeReference({ ...first, last: first.first }, 0).replace(/:.*$/, '') }
      : text;
  });
  const counted = ranges.map((range) => `ROWS(${rangeReference(range, 0)})`).join('+');
  const sums = totals.map(({ value, exact }, index): Cell => {
    const place = places[index] ?? -1;
    if (!exact || typeof value === 'string' || ranges.length === 0 || place < 0) return value;
    return { formula: `SUM(${ranges.map((range) => rangeReference(range, place)).join(',')})`, value };
  });
  return [...shown, counted === '' ? rows : { formula: counted, value: rows }, ...sums];
}

function totalRow(plan: ReportPlan, { groups, rows }: Made, ranges: readonly RowRange[]): Cell[] {
  const { by, measures } = plan.grouping;
  const labels: Cell[] = by.map((_, index) => (index === 0 ? WORDS[plan.locale].total : null));
  const sum = (column: number, value: number): Cell => ({
    formula: ranges.length === 0 ? '0' : `SUM(${ranges.map((range) => rangeReference(range, column)).join(',')})`,
    value,
  });
  const sums = measures.map((_, index): Cell => {
    const parts = groups.map(({ totals }) => totals[index] ?? { value: 0, exact: true });
    const exact = parts.every((part) => part.exact && typeof part.value === 'number');
    return exact
      ? sum(by.length + 1 + index, addUp(parts.map(({ value }) => Number(value))))
      : addUpTexts(parts.map(({ value }) => String(value)));
  });
  return [...labels, sum(by.length, rows), ...sums];
}

/** Kahan and Neumaier: the sum that a formula of Excel shows to its fifteen digits. */
function addUp(values: readonly number[]): number {
  let sum = 0;
  let lost = 0;
  for (const value of values) {
    const next = sum + value;
    lost += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
    sum = next;
  }
  return sum + lost;
}

/** `1.50` + `2.25`, exactly: as whole numbers of the smallest unit. */
function addUpTexts(values: readonly string[]): string {
  const scale = Math.max(0, ...values.map((value) => value.split('.')[1]?.length ?? 0));
  const units = values.map((value) => {
    const [whole = '0', part = ''] = value.split('.');
    return BigInt(`${whole}${part.padEnd(scale, '0')}`);
  });
  const sum = units.reduce((total, each) => total + each, 0n);
  const digits = String(sum < 0n ? -sum : sum).padStart(scale + 1, '0');
  const written = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return sum < 0n ? `-${written}` : written;
}

/** Where all of this came from. */
export async function writeProvenance(workbook: WorkbookWriter, plan: ReportPlan, made: Made): Promise<void> {
  const words = WORDS[plan.locale];
  const { facts, grouping, columns } = plan;
  const long = columns.filter((column) =>
    made.groups.some(
      ({ totals }) => totals[grouping.measures.findIndex(({ name }) => name === column.name)]?.exact === false,
    ),
  );
  const lines: [what: string, value: string | number][] = [
    [words.dataset, plan.dataset],
    [words.version, facts.version],
    [words.versionOf, facts.committed_at],
    [words.query, facts.query],
    [words.filters, facts.filters.join('\n') || words.none],
    [words.groupedBy, grouping.by.map(({ name }) => name).join(', ') || words.none],
    [words.normalized, grouping.normalize ? words.yes : words.no],
    [words.rows, made.rows],
    [words.groups, made.groups.length],
    [words.matching, made.all],
    [words.truncated, made.rows < made.all ? words.truncatedTo(made.rows, made.all) : words.no],
    [words.madeAt, facts.made_at],
    [words.madeBy, facts.made_by],
    [words.trace, facts.trace_id ?? ''],
    ...(facts.task_id ? [[words.task, facts.task_id] as [string, string]] : []),
    [words.program, facts.program],
    ...(long.length > 0
      ? [[words.note, words.longNumbers(long.map(({ name }) => name).join(', '))] as [string, string]]
      : []),
  ];
  const widest = Math.max(...lines.map(([, value]) => String(value).length));
  await workbook.sheet(words.provenance, [
    { name: words.what, kind: 'text', width: Math.max(...lines.map(([what]) => what.length)) },
    { name: words.value, kind: 'text', width: widest },
  ]);
  await workbook.rows(lines.map(([what, value]) => [what, typeof value === 'number' ? value : value]));
}
