import { quoteIdentifier } from '#contract/columns.ts';
import { groupsSql, inexactSql, keyedSql, type TypedName } from '#platform/lake/groups.ts';
import { ROW_COLUMN, SEGMENT_COLUMN } from '#platform/lake/view.ts';
import type { CellKind } from '#platform/xlsx/cells.ts';
import { type CellColumn, rowsSql } from '#platform/xlsx/row-sql.ts';
import type { ReportPlan } from './report-plan.ts';

const POSITION = `${SEGMENT_COLUMN}, ${ROW_COLUMN}`;

/** Rows that match, all of them. */
export function matchingSql({ relation, where }: ReportPlan): string {
  return `SELECT * FROM (${relation})${where}`;
}

/** Rows that the report is about; `all` of them match. */
function baseSql(plan: ReportPlan, all: number): string {
  if (all <= plan.limit) return matchingSql(plan);
  const order = plan.ordered ? '' : ` ORDER BY ${POSITION}`;
  return `SELECT * FROM (${matchingSql(plan)})${order} LIMIT ${Math.trunc(plan.limit)}`;
}

export function countSql(plan: ReportPlan): string {
  return `SELECT count(*) FROM (${matchingSql(plan)})`;
}

/** Values as they are written, with their group; then the groups in order with the rows before each, as tables of the connection. */
export function groupTables(plan: ReportPlan, all: number): [keyed: string, groups: string] {
  const keys = plan.grouping.by.map((_, index) => `k${index} NULLS LAST`);
  const order = keys.length > 0 ? `ORDER BY ${keys.join(', ')}` : '';
  return [
    `CREATE OR REPLACE TEMP TABLE keyed AS ${keyedSql(baseSql(plan, all), plan.grouping)}`,
    `CREATE OR REPLACE TEMP TABLE groups AS SELECT *, CAST(sum(n) OVER (ORDER BY ordinal) - n AS BIGINT) AS before
     FROM (SELECT CAST(row_number() OVER (${order}) AS INTEGER) AS ordinal, * FROM (${groupsSql('keyed', plan.grouping)}))`,
  ];
}

export function cellColumns(columns: readonly TypedName[]): CellColumn[] {
  return columns.map((column) => {
    const name = quoteIdentifier(column.name);
    return { name: column.name, ...cellSql(column, name) };
  });
}

/** One character more than a cell holds, so that what was cut is marked as such. */
const LONGEST = 32_768;
const IN_CALENDAR = (type: string, name: string) =>
  `${name} >= ${type} '1900-03-01' AND ${name} < ${type} '10000-01-01'`;

/** Excel's serials are made here: of a million dates in JavaScript each would be an object. */
function cellSql(column: TypedName, name: string): Omit<CellColumn, 'name'> {
  const either = (kind: CellKind, plain: string, number: string): Omit<CellColumn, 'name'> => ({
    kind,
    values: [`CASE WHEN ${plain} THEN ${number} END`, `CASE WHEN NOT (${plain}) THEN CAST(${name} AS VARCHAR) END`],
  });
  switch (column.type) {
    case 'boolean':
      return { kind: 'boolean', values: [name] };
    case 'number':
      return { kind: 'number', values: [`CASE WHEN isfinite(${name}) THEN ${name} END`] };
    case 'date':
      return either('date', IN_CALENDAR('DATE', name), `${name} - DATE '1899-12-30'`);
    case 'timestamp':
      return either('timestamp', IN_CALENDAR('TIMESTAMP', name), `epoch_us(${name}) / 86400000000.0 + 25569`);
    case 'time':
      return { kind: 'time', values: [`date_part('epoch', ${name}) / 86400.0`] };
    default: {
      const numeric = column.type === 'integer' || column.type.startsWith('decimal');
      if (!numeric) return { kind: 'text', values: [textSql(name)] };
      if (column.type === 'integer') return either('number', `NOT (${inexactSql(column)})`, name);
      const inexact = inexactSql(column);
      return inexact === 'false'
        ? { kind: 'amount', values: [`CAST(${name} AS DOUBLE)`] }
        : either('amount', `NOT (${inexact})`, `CAST(${name} AS DOUBLE)`);
    }
  }
}

function textSql(name: string): string {
  const text = `CAST(${name} AS VARCHAR)`;
  return `CASE WHEN strlen(${text}) > ${LONGEST} THEN left(${text}, ${LONGEST}) ELSE ${text} END`;
}

/** The detail's rows as XML, one text each, in the order in which they are listed; `most` fit under a sheet's header. */
export function detailSql(plan: ReportPlan, cells: readonly CellColumn[], all: number, most: number): string {
  const { by } = plan.grouping;
  const grouped = by.length > 0;
  const sorted = grouped || plan.order.length > 0 || !plan.ordered;
  const order = plan.order.map(
    ({ column, descending }) => `rows.${quoteIdentifier(column)} ${descending ? 'DESC' : 'ASC'} NULLS LAST`,
  );
  const sort = [...(grouped ? ['members.ordinal'] : []), ...order, `rows.${SEGMENT_COLUMN}`, `rows.${ROW_COLUMN}`];
  const names = plan.columns.map(({ name }) => `rows.${quoteIdentifier(name)}`);
  const select = [...(grouped ? ['members.before AS __caudal_before'] : []), ...names].join(', ') || '1';
  // Sorted as they are and written then: the XML is several times as long.
  const listed = `SELECT ${select} FROM (${baseSql(plan, all)}) AS rows${grouped ? ` JOIN ${membersSql(by)}` : ''}
    ${sorted ? `ORDER BY ${sort.join(', ')}` : ''}`;
  const place = `row_number() OVER () - 1${plan.detail === 'sheets' && grouped ? ' - __caudal_before' : ''}`;
  return rowsSql(listed, cells, `(${place}) % ${Math.trunc(most)} + 2`);
}

/** Bytes of all rows' texts together, and of the row that has most. */
export function bytesSql(plan: ReportPlan): string {
  const lengths = plan.columns
    .filter(({ type }) => !SHORT.test(type))
    .map(({ name }) => `coalesce(strlen(CAST(${quoteIdentifier(name)} AS VARCHAR)), 0)`);
  return `SELECT CAST(coalesce(sum(bytes), 0) AS DOUBLE), CAST(coalesce(max(bytes), 0) AS DOUBLE)
    FROM (SELECT ${lengths.join(' + ') || '0'} AS bytes FROM (${matchingSql(plan)}))`;
}

/** Types whose longest value is no matter. */
const SHORT = /^(integer|number|decimal|boolean|date|time|timestamp|uuid|file)/;

/** Which group a row is in, by its values as they are written. */
function membersSql(by: readonly TypedName[]): string {
  const same = (left: string, right: string) => `${left} IS NOT DISTINCT FROM ${right}`;
  const keys = by.map((_, index) => same(`keyed.k${index}`, `groups.k${index}`)).join(' AND ');
  const values = by.map(({ name }, index) => same(`rows.${quoteIdentifier(name)}`, `members.g${index}`)).join(' AND ');
  const written = by.map((_, index) => `keyed.g${index}`).join(', ');
  return `(SELECT ordinal, before, ${written} FROM keyed JOIN groups ON ${keys}) AS members ON ${values}`;
}

/** How wide the cells of the first rows are. */
export function widthsSql(plan: ReportPlan, cells: readonly CellColumn[], sample: number): string {
  const lengths = cells.map(({ values: [value = 'NULL'], kind }) =>
    kind === 'text' ? `coalesce(max(length(left(${value}, 100))), 0)` : '0',
  );
  return `SELECT ${lengths.length > 0 ? lengths.join(', ') : '0'} FROM (SELECT * FROM (${matchingSql(plan)}) LIMIT ${sample})`;
}
