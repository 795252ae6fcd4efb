import { duckdbType, quoteIdentifier } from '#contract/columns.ts';
import { invalid } from '#kernel/errors.ts';

export const OPERATORS = ['eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in', 'like', 'is_null'] as const;
export type Operator = (typeof OPERATORS)[number];

export interface Condition {
  /** As written in the query string, for messages: `where[a][gte]`. */
  field: string;
  column: string;
  type: string;
  operator: Operator;
  value: string;
}

/** SQL with one `?` per parameter; all parameters are text and cast in SQL. */
export interface Fragment {
  sql: string;
  parameters: string[];
}

const COMPARISONS: Partial<Record<Operator, string>> = { eq: '=', ne: '<>', gt: '>', gte: '>=', lt: '<', lte: '<=' };

/**
 * One filter as SQL, with SQL's meaning of NULL: only `is_null` finds it. `in` takes values with commas
 * between. @throws invalid_input when the value is none of the column's type
 */
export function conditionSql(condition: Condition): Fragment {
  const { column, operator, value } = condition;
  const name = quoteIdentifier(column);
  if (operator === 'is_null') {
    if (value !== 'true' && value !== 'false') throw invalid(condition.field, 'is_null takes true or false.');
    return { sql: `${name} IS ${value === 'true' ? '' : 'NOT '}NULL`, parameters: [] };
  }
  if (operator === 'like') return { sql: `CAST(${name} AS VARCHAR) LIKE ?`, parameters: [value] };
  if (operator === 'in') {
    const each = value.split(',').map((item) => comparison({ ...condition, operator: 'eq', value: item }));
    return { sql: `(${each.map(({ sql }) => sql).join(' OR ')})`, parameters: each.flatMap((one) => one.parameters) };
  }
  return comparison(condition);
}

/** ` WHERE …`, or nothing. */
export function whereSql(filters: readonly Fragment[]): string {
  return filters.length === 0 ? '' : ` WHERE ${filters.map(({ sql }) => sql).join(' AND ')}`;
}

function comparison(condition: Condition): Fragment {
  const { column, type, operator, value } = condition;
  const sides = operandsOf(condition);
  if (!sides) {
    throw invalid(condition.field, `"${value.slice(0, 100)}" is no ${type}: column "${column}" holds ${type}.`);
  }
  return { sql: `${sides.left} ${COMPARISONS[operator]} ${sides.right}`, parameters: [sides.parameter ?? value] };
}

interface Operands {
  left: string;
  right: string;
  parameter?: string;
}

const INTEGER = /^[+-]?\d{1,40}$/;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,4})?$/i;
const DATE = /^\d{4,6}-\d\d?-\d\d?$/;
const TIMESTAMP = /^\d{4,6}-\d\d?-\d\d?([ T]\d\d?:\d\d(:\d\d(\.\d{1,9})?)?( ?(Z|[+-]\d\d(:?\d\d)?))?)?$/i;
const TIME = /^\d\d?:\d\d(:\d\d(\.\d{1,9})?)?$/;
const UUID = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;
const BOOLEANS: Record<string, string> = { true: 'true', false: 'false', '1': 'true', '0': 'false' };

/** How column and value meet without either being rounded to the other's type; undefined: the value does not fit. */
function operandsOf({ column, type, value }: Condition): Operands | undefined {
  const name = quoteIdentifier(column);
  const as = (cast: string, left = name): Operands => ({ left, right: `CAST(? AS ${cast})` });
  const asNumber = (): Operands | undefined =>
    NUMBER.test(value) ? as('DOUBLE', `CAST(${name} AS DOUBLE)`) : undefined;
  if (type.startsWith('decimal')) return decimalOperands(type, value, name) ?? asNumber();
  switch (type) {
    case 'integer':
      return INTEGER.test(value) && BigInt.asIntN(64, BigInt(value)) === BigInt(value) ? as('BIGINT') : asNumber();
    case 'number':
      return asNumber();
    case 'boolean': {
      const parameter = BOOLEANS[value.toLowerCase()];
      return parameter === undefined ? undefined : { ...as('BOOLEAN'), parameter };
    }
    case 'date':
      if (DATE.test(value)) return as('DATE');
      return TIMESTAMP.test(value) ? as('TIMESTAMP', `CAST(${name} AS TIMESTAMP)`) : undefined;
    case 'timestamp':
      return TIMESTAMP.test(value) ? as('TIMESTAMP') : undefined;
    case 'time':
      return TIME.test(value) ? as('TIME') : undefined;
    case 'uuid':
      return UUID.test(value) ? as('UUID') : undefined;
    default:
      return as('VARCHAR', type === 'json' ? `CAST(${name} AS VARCHAR)` : name);
  }
}

/** Exact where the value's digits fit the column's type. */
function decimalOperands(type: string, value: string, name: string): Operands | undefined {
  const [precision = 0, scale = 0] = type.match(/\d+/g)?.map(Number) ?? [];
  const digits = /^[+-]?0*(\d*)(?:\.(\d*?)0*)?$/.exec(value);
  if (!digits || value === '') return undefined;
  const fits = (digits[1] ?? '').length <= precision - scale && (digits[2] ?? '').length <= scale;
  return fits && /\d/.test(value) ? { left: name, right: `CAST(? AS ${duckdbType(type)})` } : undefined;
}
