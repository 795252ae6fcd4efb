import type { Column } from '#contract/columns.ts';
import { fail, invalid } from '#kernel/errors.ts';
import { type Condition, OPERATORS, type Operator } from './conditions.ts';
import type { DatasetSnapshot } from './snapshot.ts';

export interface OrderBy {
  column: string;
  type: string;
  descending: boolean;
}

/** Which rows and columns are asked for by `select`, `where` and `order`, checked against the dataset's columns. */
export interface RowsQuestion {
  columns: { name: string; type: string }[];
  conditions: Condition[];
  order: OrderBy[];
  /** System columns are needed. */
  system: boolean;
}

const SYSTEM: Record<string, string> = { _source: 'uuid', _line: 'integer', _loaded_at: 'timestamp' };

type Query = Readonly<Record<string, unknown>>;

/** @throws column_not_found, invalid_input */
export function readQuestion(query: Query, snapshot: DatasetSnapshot): RowsQuestion {
  const find = columnFinder(snapshot.columns);
  const selected = names(query['select'], find).map((name) => find(name, 'select'));
  const includeSource = readInclude(query['include']);
  const columns = selected.length > 0 ? selected : snapshot.columns.map(({ name, type }) => ({ name, type }));
  if (includeSource) {
    const shown = new Set(columns.map(({ name }) => name));
    for (const [name, type] of Object.entries(SYSTEM)) if (!shown.has(name)) columns.push({ name, type });
  }
  const conditions = readConditions(query, find);
  const order = readOrder(query['order'], find);
  const used = [...columns.map(({ name }) => name), ...conditions.map((c) => c.column), ...order.map((o) => o.column)];
  return { columns, conditions, order, system: used.some((name) => Object.hasOwn(SYSTEM, name)) };
}

type Finder = ((name: string, field: string) => { name: string; type: string }) & { has(name: string): boolean };

function columnFinder(columns: readonly Column[]): Finder {
  const types = new Map(columns.map(({ name, type }) => [name, type]));
  for (const [name, type] of Object.entries(SYSTEM)) if (!types.has(name)) types.set(name, type);
  const find = (name: string, field: string) => {
    const type = types.get(name);
    if (type === undefined) throw noColumn(name, field, columns);
    return { name, type };
  };
  return Object.assign(find, { has: (name: string) => types.has(name) });
}

function noColumn(name: string, field: string, columns: readonly Column[]): Error {
  const shown = columns
    .slice(0, 20)
    .map((column) => column.name)
    .join(', ');
  const message = `There is no column "${name.slice(0, 100)}".`;
  return fail('column_not_found', message, {
    hint:
      columns.length === 0
        ? 'The dataset has no columns yet.'
        : `The columns are: ${shown}${columns.length > 20 ? ', …' : ''}`,
    errors: [{ field, code: 'column_not_found', message }],
  });
}

/** Columns that a parameter names, each once. @throws column_not_found that names the parameter */
export function columnNames(
  value: unknown,
  field: string,
  { columns }: DatasetSnapshot,
): { name: string; type: string }[] {
  const find = columnFinder(columns);
  return [...new Set(names(value, find))].map((name) => find(name, field));
}

/** `a,b` or repeated; a name that holds a comma is taken whole where such a column exists. */
function names(value: unknown, find: Finder): string[] {
  return texts(value)
    .flatMap((text) => (find.has(text) ? [text] : text.split(',').map((name) => name.trim())))
    .filter(Boolean);
}

function texts(value: unknown): string[] {
  if (value === undefined) return [];
  return (Array.isArray(value) ? value : [value]).map(String);
}

function readOrder(value: unknown, find: Finder): OrderBy[] {
  const seen = new Set<string>();
  return names(value, find)
    .map((written) => {
      const descending = written.startsWith('-') && !find.has(written);
      const { name, type } = find(descending ? written.slice(1) : written, 'order');
      return { column: name, type, descending };
    })
    .filter(({ column }) => !seen.has(column) && seen.add(column));
}

function readInclude(value: unknown): boolean {
  const wanted = texts(value).flatMap((text) => text.split(','));
  const unknown = wanted.find((each) => each !== 'source' && each !== '');
  if (unknown !== undefined)
    throw invalid('include', `There is nothing called "${unknown.slice(0, 50)}" to include: only source.`);
  return wanted.includes('source');
}

const WITH_OPERATOR = new RegExp(`^where\\[(.*)\\]\\[(${OPERATORS.join('|')})\\]$`, 's');
const PLAIN = /^where\[(.*)\]$/s;

function readConditions(query: Query, find: Finder): Condition[] {
  return Object.entries(query).flatMap(([field, value]) => {
    if (!field.startsWith('where')) return [];
    const { column, operator } = readField(field, find);
    const { type } = find(column, field);
    const values = operator === 'in' ? [texts(value).join(',')] : texts(value);
    return values.map((each) => ({ field, column, type, operator, value: each }));
  });
}

function readField(field: string, find: Finder): { column: string; operator: Operator } {
  const plain = PLAIN.exec(field)?.[1];
  if (plain !== undefined && find.has(plain)) return { column: plain, operator: 'eq' };
  const [, column, operator] = WITH_OPERATOR.exec(field) ?? [];
  if (column !== undefined) return { column, operator: operator as Operator };
  if (plain === undefined)
    throw invalid(field.slice(0, 200), 'A filter is written where[column]=value or where[column][operator]=value.');
  const unknown = /^(.*)\]\[([^\]]*)$/s.exec(plain);
  if (unknown && find.has(unknown[1] ?? '')) {
    throw invalid(
      field.slice(0, 200),
      `There is no operator "${(unknown[2] ?? '').slice(0, 50)}": ${OPERATORS.join(', ')}.`,
    );
  }
  return { column: plain, operator: 'eq' };
}
