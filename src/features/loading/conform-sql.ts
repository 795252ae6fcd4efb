import { castsDirectly, type RuleCode, reasonOf, textForm } from '#contract/column-rules.ts';
import { duckdbType, quoteIdentifier, quoteLiteral, tryCast } from '#contract/columns.ts';
import type { DeclaredColumn } from '#contract/datasets.ts';
import { readValue, storedText } from '#contract/stored-value.ts';
import { foldName } from '#platform/lake/schema.ts';

/** A declared column as SQL over a segment's physical columns. */
export interface ConformedColumn {
  name: string;
  type: string;
  /** The value in the declared type, default included. */
  value: string;
  /** The value as it came, as text: shown in quarantine. */
  original: string;
  /** What can be wrong with it: condition (true = wrong) and reason, most basic first. */
  rules: { code: RuleCode; broken: string; reason: string }[];
}

interface PhysicalColumn {
  name: string;
  type: string;
}

type Scalar = string | number | boolean;

/**
 * The declared columns over what a reader wrote. Columns that the file lacks are their default or NULL.
 * Nothing of a user's reaches the SQL but quoted.
 */
export function conformColumns(
  physical: readonly PhysicalColumn[],
  declared: readonly DeclaredColumn[],
): ConformedColumn[] {
  const byName = new Map(physical.map((column) => [foldName(column.name), column]));
  return declared.flatMap((column) => {
    const found = byName.get(foldName(column.name));
    if (!found && column.default === undefined) return [];
    return [conformColumn(found, column)];
  });
}

function conformColumn(found: PhysicalColumn | undefined, column: DeclaredColumn): ConformedColumn {
  const raw = found ? quoteIdentifier(found.name) : 'NULL';
  const cast = !found || found.type === column.type ? { value: raw } : castTo(found, raw, column.type);
  const value =
    column.default === undefined ? cast.value : `coalesce(${cast.value}, ${literal(column.default, column.type)})`;
  const rules: ConformedColumn['rules'] = [];
  const add = (code: RuleCode, broken: string): void => {
    rules.push({ code, broken, reason: reasonOf(code, column) });
  };
  if (cast.broken) add('wrong_type', cast.broken);
  if (column.required) add('required', `${value} IS NULL`);
  for (const [code, met] of valueRules(column, value)) add(code, `${value} IS NOT NULL AND NOT (${met})`);
  return { name: column.name, type: column.type, value, original: `CAST(${raw} AS VARCHAR)`, rules };
}

/** SQL of a value in the declared type, and of the condition under which it is none. */
interface Cast {
  value: string;
  broken?: string;
}

function castTo(found: PhysicalColumn, raw: string, to: string): Cast {
  if (castsDirectly(found.type, to)) {
    const value = `TRY_CAST(${raw} AS ${duckdbType(to)})`;
    // A cast that succeeds but changes the value (1.5 as an integer is 2) is no valid value.
    const changed = `TRY_CAST(${value} AS ${duckdbType(found.type)}) IS DISTINCT FROM ${raw}`;
    return { value, broken: `${raw} IS NOT NULL AND (${value} IS NULL OR ${changed})` };
  }
  const text = found.type === 'json' ? `(${raw} ->> '$')` : `CAST(${raw} AS VARCHAR)`;
  if (to === 'text' || to === 'file') return { value: text };
  const given = `nullif(trim(${text}), '')`;
  const value = fromText(given, to);
  const form = textForm(to);
  const misfit = form === undefined ? '' : ` OR NOT regexp_full_match(${given}, ${quoteLiteral(form)})`;
  return { value, broken: `${given} IS NOT NULL AND (${value} IS NULL${misfit}${lossOf(given, value, to)})` };
}

/** The cast of a text to TIMESTAMP forgets the offset; by way of TIMESTAMPTZ, in a session of UTC, it does not. */
function fromText(given: string, to: string): string {
  return tryCast(to === 'timestamp' ? `TRY_CAST(${given} AS TIMESTAMPTZ)` : given, to);
}

/** "1.5" as an integer is 2: compared at the finest scale that so many whole digits leave. */
function lossOf(given: string, value: string, to: string): string {
  const [precision = 19, scale = 0] = (to.match(/\d+/g) ?? []).map(Number);
  if (to !== 'integer' && !to.startsWith('decimal')) return '';
  const finest = `DECIMAL(38,${38 - (precision - scale)})`;
  return ` OR TRY_CAST(${given} AS ${finest}) IS DISTINCT FROM TRY_CAST(${value} AS ${finest})`;
}

function valueRules(column: DeclaredColumn, value: string): [code: RuleCode, met: string][] {
  const rules: [RuleCode, string][] = [];
  if (column.pattern !== undefined) {
    const text = `CAST(${value} AS VARCHAR)`;
    rules.push(['pattern', `regexp_full_match(${text}, ${quoteLiteral(column.pattern)})`]);
  }
  if (column.enum) {
    rules.push(['enum', `${value} IN (${column.enum.map((item) => literal(item, column.type)).join(', ')})`]);
  }
  if (column.min !== undefined) rules.push(['min', `${value} >= ${literal(column.min, column.type)}`]);
  if (column.max !== undefined) rules.push(['max', `${value} <= ${literal(column.max, column.type)}`]);
  return rules;
}

/** A constant of the declaration in the column's type; that it fits was checked when it was declared. */
function literal(value: Scalar, type: string): string {
  const read = readValue(value, type) ?? String(value);
  return `CAST(${quoteLiteral(storedText(read, type))} AS ${duckdbType(type)})`;
}

/** The first broken rule as {column, reason, value}, or NULL: one expression per row. */
export function problemSql(columns: readonly ConformedColumn[]): string {
  const branches = columns.flatMap((column) =>
    column.rules.map(
      ({ broken, reason }) =>
        `WHEN ${broken} THEN {'column': ${quoteLiteral(column.name)}, 'reason': ${quoteLiteral(reason)}, 'value': ${column.original}}`,
    ),
  );
  return branches.length === 0 ? 'NULL' : `CASE ${branches.join(' ')} END`;
}
