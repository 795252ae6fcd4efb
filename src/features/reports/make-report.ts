import type { Writable } from 'node:stream';
import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api';
import { invalid } from '#kernel/errors.ts';
import type { Cell } from '#platform/xlsx/cells.ts';
import type { CellColumn } from '#platform/xlsx/row-sql.ts';
import { createWorkbook, MOST_BYTES, MOST_COLUMNS, MOST_ROWS, type WorkbookWriter } from '#platform/xlsx/workbook.ts';
import { linesOf } from './lines.ts';
import { type Page, pagesOf, rangesOf } from './pages.ts';
import type { ReportPlan } from './report-plan.ts';
import { bytesSql, cellColumns, countSql, detailSql, groupTables, widthsSql } from './report-sql.ts';
import { type Group, type Made, writeProvenance, writeSummary } from './sheets.ts';
import { WORDS } from './words.ts';

export interface ReportSinks {
  /** Where the workbook goes. */
  out: Writable;
  onRows(rows: number, all: number): void;
}

/** A summary of more groups is a list; and each costs memory until it is written. */
const MOST_GROUPS = 100_000;
const MOST_SHEETS = 250;
const SAMPLE = 2000;

/**
 * Makes the workbook of a plan. The first part goes out as soon as the question is known to be a good one. The rows are made by the
 * engine (see `rowsSql`) and come through a pipe: only COPY both streams and says when it failed. They are counted against the groups
 * all the same.
 */
export async function makeReport(connection: DuckDBConnection, plan: ReportPlan, sinks: ReportSinks): Promise<Made> {
  if (plan.columns.length > MOST_COLUMNS) {
    throw invalid('select', `A sheet holds at most ${MOST_COLUMNS} columns.`);
  }
  const all = Number((await connection.runAndReadAll(countSql(plan), plan.parameters)).getRows()[0]?.[0] ?? 0);
  const groups = await withRoom(connection, MEMORY, () => readGroups(connection, plan, all));
  if (plan.detail === 'sheets' && groups.length > MOST_SHEETS) {
    throw invalid('detail', `There are ${groups.length} groups: a sheet for each is made of at most ${MOST_SHEETS}.`);
  }
  const made: Made = {
    ...{ groups, all, rows: Math.min(all, plan.limit) },
    places: plan.grouping.measures.map(({ name }) => plan.columns.findIndex((column) => column.name === name)),
  };
  const workbook = createWorkbook(sinks.out);
  await workbook.begin();
  if (plan.detail !== 'none') await writeDetail(connection, plan, { workbook, made, sinks });
  await writeSummary(workbook, plan, made);
  await writeProvenance(workbook, plan, made);
  await workbook.end();
  return made;
}

async function readGroups(connection: DuckDBConnection, plan: ReportPlan, all: number): Promise<Group[]> {
  const [keyed, groups] = groupTables(plan, all);
  await connection.run(keyed, plan.parameters);
  await connection.run(groups);
  const { by, measures } = plan.grouping;
  const count = Number((await connection.runAndReadAll('SELECT count(*) FROM groups')).getRows()[0]?.[0] ?? 0);
  if (count > MOST_GROUPS) {
    throw invalid('group_by', `There are ${count} groups; a report takes at most ${MOST_GROUPS}.`);
  }
  const labels = cellColumns(by.map(({ type }, index) => ({ name: `g${index}`, type })));
  const values = labels.flatMap((label) => label.values);
  const sums = measures.flatMap((_, index) => [
    `CAST(coalesce(s${index}, 0) AS VARCHAR)`,
    `CAST(x${index} AS INTEGER)`,
  ]);
  const select = ['CAST(n AS DOUBLE)', ...values, ...sums].join(', ');
  const reader = await connection.runAndReadAll(`SELECT ${select} FROM groups ORDER BY ordinal`);
  return reader.getRows().map((row) => {
    const shown = cellsOf(row, 1, labels);
    const rest = row.slice(1 + values.length);
    return {
      labels: shown,
      rows: Number(row[0]),
      totals: measures.map(({ type }, index) => totalOf(String(rest[2 * index]), type, Number(rest[2 * index + 1]))),
      ranges: [],
    };
  });
}

/** A sum as a number where a double holds it, else as it is written. */
function totalOf(written: string, type: string, inexact: number): Group['totals'][number] {
  const digits = written.replace(/\D/g, '').replace(/^0+/, '').length;
  const exact = inexact === 0 && (type === 'number' || digits <= 15);
  return { value: exact ? Number(written) : written, exact };
}

interface DetailWork {
  workbook: WorkbookWriter;
  made: Made;
  sinks: ReportSinks;
}

async function writeDetail(connection: DuckDBConnection, plan: ReportPlan, work: DetailWork): Promise<void> {
  const { workbook, made, sinks } = work;
  const words = WORDS[plan.locale];
  const cells = cellColumns(plan.columns);
  const { most, memory } = await roomFor(connection, plan, made.rows);
  const sample = await connection.runAndReadAll(widthsSql(plan, cells, SAMPLE), plan.parameters);
  const widths = sample.getRows()[0] ?? [];
  const columns = cells.map(({ name, kind }, index) => ({ name, kind, width: Number(widths[index] ?? 0) }));
  const titles =
    plan.detail === 'list'
      ? [{ title: words.detail, rows: made.rows }]
      : made.groups.map((group) => ({ title: labelOf(group, words.empty), rows: group.rows }));
  const sql = detailSql(plan, cells, made.all, most);
  const lines = await withRoom(connection, memory, () => linesOf(connection, sql, plan));
  const pages: Page[] = [];
  for (const page of pagesOf(titles, most)) {
    const sheet = await workbook.sheet(page.title, columns, { filter: true });
    pages.push({ ...page, sheet });
    for (let row = page.from; row < page.to; ) {
      const { bytes, count } = await lines.next(page.to - row);
      await workbook.written(bytes, count);
      row += count;
      sinks.onRows(row, made.rows);
    }
  }
  await lines.end();
  rangesOf(made.groups, pages).forEach((ranges, index) => {
    made.groups[index]?.ranges.push(...ranges);
  });
}

/** XML of a row beside its texts: an address, type and style for each cell. */
const CELL_BYTES = 80;
/** Bytes that one of a text becomes at most: a control character is `_x0001_`. */
const ESCAPED = 7;
const VECTOR = 2048;
/** A million rows of nine columns sort in it with what spills. */
const MEMORY = 64e6;
const MOST_MEMORY = 512e6;

/**
 * How many rows a sheet gets: as many as Excel takes, unless their XML might outgrow what a ZIP holds. And how much memory the engine
 * begins with: of long texts it holds a few vectors at a time.
 */
async function roomFor(
  connection: DuckDBConnection,
  plan: ReportPlan,
  rows: number,
): Promise<{ most: number; memory: number }> {
  const measured = (await connection.runAndReadAll(bytesSql(plan), plan.parameters)).getRows()[0] ?? [];
  const [total = 0, longest = 0] = measured.map(Number);
  const memory = Math.min(MOST_MEMORY, MEMORY + 4 * VECTOR * longest);
  const fixed = CELL_BYTES * plan.columns.length;
  if (ESCAPED * total + fixed * rows < MOST_BYTES) return { most: MOST_ROWS - 1, memory };
  const fitting = Math.floor(MOST_BYTES / (ESCAPED * longest + fixed));
  return { most: Math.max(1, Math.min(MOST_ROWS - 1, fitting)), memory };
}

/** Does the work with little memory for the engine, and again with twice as much where that was too little. */
async function withRoom<T>(connection: DuckDBConnection, least: number, work: () => Promise<T>): Promise<T> {
  for (let memory = least; ; memory *= 2) {
    await connection.run(`SET GLOBAL memory_limit = '${Math.round(memory / 1e6)}MB'`);
    try {
      return await work();
    } catch (error) {
      if (memory >= MOST_MEMORY || !/^Out of Memory/.test((error as Error).message)) throw error;
    }
  }
}

/** The cells of a row whose values begin at `from`. */
function cellsOf(row: readonly DuckDBValue[], from: number, columns: readonly CellColumn[]): Cell[] {
  let at = from;
  return columns.map(({ values }) => {
    let cell: Cell = null;
    for (let index = 0; index < values.length; index += 1) {
      const value = row[at + index] ?? null;
      cell ??= (typeof value === 'bigint' ? Number(value) : value) as Cell;
    }
    at += values.length;
    return cell;
  });
}

function labelOf({ labels }: Group, empty: string): string {
  return labels.map((label) => String(label ?? empty)).join(' · ');
}
