import { DuckDBInstance } from '@duckdb/node-api';
import { RE2JS } from 're2js';
import { quoteLiteral, SYSTEM_COLUMNS } from '#contract/columns.ts';
import type { DeclaredColumn } from '#contract/datasets.ts';
import { IMAGE_TYPES, isAcceptable } from '#contract/images.ts';
import { readValue } from '#contract/stored-value.ts';
import { type FieldError, fail, invalid } from '#kernel/errors.ts';
import { foldName } from '#platform/lake/schema.ts';

const DECIMAL = /^decimal\((\d{1,2}),(\d{1,2})\)$/;
const WIDEST_DECIMAL = 38;

/**
 * Refuses a declaration that could not be kept: names that SQL cannot tell apart, impossible types,
 * constants that are no value of their column's type, patterns that RE2 does not know.
 *
 * @throws invalid_input naming each field
 */
export async function checkDeclaration(columns: readonly DeclaredColumn[], path = 'columns'): Promise<void> {
  const errors = [...nameErrors(columns, path), ...typeErrors(columns, path), ...acceptErrors(columns, path)];
  if (errors.length === 0) {
    errors.push(...(await ruleErrors(columns.map((column, index) => ({ column, field: `${path}.${index}` })))));
  }
  if (errors.length > 0) {
    throw fail('invalid_input', errors.map((error) => error.message).join(' '), { errors });
  }
}

/** Types whose text is one and the same for equal values: what a key is made of. */
const KEY_TYPE = /^(text|integer|boolean|date|time|timestamp|uuid|decimal)/;

/** @throws invalid_input naming each field */
export function checkKey(key: readonly string[] | undefined, columns: readonly DeclaredColumn[] | undefined): void {
  if (!key) throw invalid('on_conflict', 'There is no key that could be in conflict.');
  if (!columns) throw invalid('key', 'A key needs declared columns.');
  const errors = key.flatMap((name, index): FieldError[] => {
    const field = `key.${index}`;
    const column = columns.find((declared) => declared.name === name);
    if (!column) return [{ field, code: 'unknown_column', message: `"${name}" is not declared.` }];
    if (key.indexOf(name) !== index) return [{ field, code: 'repeated_name', message: `"${name}" is there twice.` }];
    const message = `A ${column.type} cannot tell rows apart ("${name}"): use text, integer, decimal, boolean, uuid, or a date or time.`;
    return KEY_TYPE.test(column.type) ? [] : [{ field, code: 'invalid_type', message }];
  });
  if (errors.length > 0) throw fail('invalid_input', errors.map(({ message }) => message).join(' '), { errors });
}

/** A column's name, alone: not one of ours, without control characters. */
export function nameError(name: string): string | undefined {
  if ((SYSTEM_COLUMNS as readonly string[]).includes(foldName(name)))
    return `"${name}" is a name of Caudal's own columns.`;
  if (/\p{Cc}/u.test(name)) return 'A column name holds no control characters.';
  return name.trim() === '' ? 'A column needs a name.' : undefined;
}

function nameErrors(columns: readonly DeclaredColumn[], path: string): FieldError[] {
  const seen = new Set<string>();
  return columns.flatMap(({ name }, index): FieldError[] => {
    const field = `${path}.${index}.name`;
    const wrong = nameError(name);
    if (wrong) return [{ field, code: 'invalid_name', message: wrong }];
    const repeated = seen.has(foldName(name));
    seen.add(foldName(name));
    return repeated
      ? [{ field, code: 'repeated_name', message: `"${name}" is there twice (case does not tell apart).` }]
      : [];
  });
}

function typeErrors(columns: readonly DeclaredColumn[], path: string): FieldError[] {
  return columns.flatMap(({ type }, index): FieldError[] =>
    isPossibleType(type)
      ? []
      : [
          {
            field: `${path}.${index}.type`,
            code: 'invalid_type',
            message: `${type}: at most 38 digits, scale within them.`,
          },
        ],
  );
}

/** Files of rows are images: what else there is cannot be made harmless by writing it anew. */
function acceptErrors(columns: readonly DeclaredColumn[], path: string): FieldError[] {
  const message = `A file column takes images: ${IMAGE_TYPES.join(', ')} or image/*.`;
  return columns.flatMap(({ type, accept }, index): FieldError[] =>
    type === 'file' && accept && !accept.every(isAcceptable)
      ? [{ field: `${path}.${index}.accept`, code: 'invalid_value', message }]
      : [],
  );
}

/** `decimal(p,s)` needs 1 ≤ p ≤ 38 and s ≤ p; the other types have no parameters. */
export function isPossibleType(type: string): boolean {
  const decimal = DECIMAL.exec(type);
  if (!decimal) return true;
  const [precision, scale] = [Number(decimal[1]), Number(decimal[2])];
  return precision >= 1 && precision <= WIDEST_DECIMAL && scale <= precision;
}

/** What no value could be held against: constants that are none of the column's type, patterns that RE2 does not know. */
export async function ruleErrors(columns: readonly { column: DeclaredColumn; field: string }[]): Promise<FieldError[]> {
  return [...columns.flatMap(({ column, field }) => constantErrors(column, field)), ...(await patternErrors(columns))];
}

function constantErrors(column: DeclaredColumn, field: string): FieldError[] {
  const named: [string, string | number | boolean | undefined][] = [
    ['default', column.default],
    ['min', column.min],
    ['max', column.max],
    ...(column.enum ?? []).map((value, at): [string, string | number | boolean] => [`enum.${at}`, value]),
  ];
  return named.flatMap(([key, value]) => {
    if (value === undefined || (readValue(value, column.type) ?? null) !== null) return [];
    const message = `${JSON.stringify(value)} is not a valid ${column.type}.`;
    return [{ field: `${field}.${key}`, code: 'invalid_value', message }];
  });
}

/** Both engines that will match it must know the pattern: the one of loads and the one of single records. */
async function patternErrors(columns: readonly { column: DeclaredColumn; field: string }[]): Promise<FieldError[]> {
  const patterns = columns.flatMap(({ column: { pattern }, field }) =>
    pattern === undefined ? [] : [{ pattern, field }],
  );
  if (patterns.length === 0) return [];
  const instance = await DuckDBInstance.create(':memory:', { threads: '1', memory_limit: '100MB' });
  try {
    const connection = await instance.connect();
    await connection.run('SET enable_external_access = false');
    const errors: FieldError[] = [];
    for (const { pattern, field } of patterns) {
      const known = await connection.run(`SELECT regexp_full_match('', ${quoteLiteral(pattern)})`).then(
        () => compiles(pattern),
        () => false,
      );
      const message = 'The pattern is not a valid RE2 expression.';
      if (!known) errors.push({ field: `${field}.pattern`, code: 'invalid_value', message });
    }
    connection.closeSync();
    return errors;
  } finally {
    instance.closeSync();
  }
}

function compiles(pattern: string): boolean {
  try {
    RE2JS.compile(pattern);
    return true;
  } catch {
    return false;
  }
}
