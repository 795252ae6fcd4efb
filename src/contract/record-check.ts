import { RE2JS } from 're2js';
import { type RuleCode, reasonOf } from './column-rules.ts';
import type { DeclaredColumn } from './datasets.ts';
import { compareValues, readValue, type StoredValue, storedText } from './stored-value.ts';

/** As in problem+json: `field` is the column's name. */
export interface RecordError {
  field: string;
  code: RuleCode | 'unknown_column' | 'repeated_column' | 'not_a_record';
  message: string;
}

export interface CheckedRecord {
  /** One value per declared column, by its declared name; null where there is none. Complete only without errors. */
  values: Record<string, StoredValue | null>;
  errors: RecordError[];
}

/** Checks one record (a JSON object as parsed). Never throws; every wrong field is named, in declared order. */
export type RecordCheck = (record: unknown) => CheckedRecord;

export interface RecordCheckOptions {
  /** A text of blanks alone is no value, in text columns too: what an empty field of a form means. */
  blank_is_empty?: boolean;
}

interface Rule {
  code: RuleCode;
  broken(value: StoredValue): boolean;
}

interface PreparedColumn {
  column: DeclaredColumn;
  fallback: StoredValue | null;
  rules: Rule[];
}

/**
 * The declared columns as a function over JSON records, with the verdicts of a load (`conform-sql.ts`) and the
 * same words. Patterns are RE2, which matches in linear time whatever the pattern. Names are matched as SQL
 * does: exactly, else but for case. Make it once per declaration, it compiles the patterns.
 */
export function recordCheck(columns: readonly DeclaredColumn[], options: RecordCheckOptions = {}): RecordCheck {
  const prepared = columns.map(prepare);
  const byName = new Map(prepared.map((one) => [one.column.name, one]));
  const byFolded = new Map(prepared.map((one) => [one.column.name.toLowerCase(), one]));
  return (record) => {
    const values: CheckedRecord['values'] = Object.create(null);
    if (record === null || typeof record !== 'object' || Array.isArray(record)) {
      return { values, errors: [{ field: '', code: 'not_a_record', message: 'A record is a JSON object.' }] };
    }
    const given = new Map<PreparedColumn, unknown>();
    const errors: RecordError[] = [];
    for (const [name, value] of Object.entries(record)) {
      const found = byName.get(name) ?? byFolded.get(name.toLowerCase());
      if (!found) {
        errors.push({ field: name, code: 'unknown_column', message: `"${shown(name)}" is not declared.` });
      } else if (given.has(found)) {
        const message = `"${found.column.name}" is there twice (case does not tell apart).`;
        errors.push({ field: name, code: 'repeated_column', message });
      } else {
        given.set(found, value);
      }
    }
    for (const one of prepared) {
      const result = judge(one, given.get(one), options);
      values[one.column.name] = result.value;
      if (result.broken) {
        const { name } = one.column;
        errors.push({ field: name, code: result.broken, message: reasonOf(result.broken, one.column) });
      }
    }
    return { values, errors };
  };
}

const SHOWN = 200;

function shown(name: string): string {
  return name.slice(0, SHOWN).toWellFormed();
}

function judge(
  { column, fallback, rules }: PreparedColumn,
  given: unknown,
  options: RecordCheckOptions,
): { value: StoredValue | null; broken?: RuleCode } {
  const blank = options.blank_is_empty && typeof given === 'string' && given.trim() === '';
  const read = blank ? null : readValue(given, column.type);
  if (read === undefined) return { value: null, broken: 'wrong_type' };
  const value = read ?? fallback;
  if (value === null) return column.required ? { value, broken: 'required' } : { value };
  const rule = rules.find(({ broken }) => broken(value));
  return rule ? { value, broken: rule.code } : { value };
}

function prepare(column: DeclaredColumn): PreparedColumn {
  const constant = (value: string | number | boolean): StoredValue => {
    const read = readValue(value, column.type);
    if (read === undefined || read === null) throw new TypeError(`${value} is not a valid ${column.type}`);
    return read;
  };
  const compare = (a: StoredValue, b: StoredValue): number => compareValues(a, b, column.type);
  const rules: Rule[] = [];
  if (column.pattern !== undefined) {
    const pattern = RE2JS.compile(column.pattern);
    rules.push({ code: 'pattern', broken: (value) => !pattern.matches(storedText(value, column.type)) });
  }
  if (column.enum) {
    const allowed = column.enum.map(constant);
    rules.push({ code: 'enum', broken: (value) => !allowed.some((one) => compare(one, value) === 0) });
  }
  if (column.min !== undefined) {
    const min = constant(column.min);
    rules.push({ code: 'min', broken: (value) => compare(value, min) < 0 });
  }
  if (column.max !== undefined) {
    const max = constant(column.max);
    rules.push({ code: 'max', broken: (value) => compare(value, max) > 0 });
  }
  return { column, fallback: column.default === undefined ? null : constant(column.default), rules };
}
