import { recordCheck } from '#contract/record-check.ts';
import type { FieldError } from '#kernel/errors.ts';
import type { DatasetTarget } from '#platform/lake/dataset-rows.ts';
import { keyHash } from '#platform/lake/key-hash.ts';
import type { Records } from '#platform/stream/records.ts';

export interface JudgedRow {
  errors: FieldError[];
  /** Null: the row has no key, or is none. */
  key_hash: string | null;
}

/** A number of more digits than a double holds. */
const LONG_NUMBER = /[\d.]{16}/;

/** Every record against the declared columns, and its key. A dataset without declared columns takes any record. */
export function judge({ declared, key, columns }: DatasetTarget, { ndjson, count }: Records): JudgedRow[] {
  if (!declared) return Array.from({ length: count }, () => ({ errors: [], key_hash: null }));
  const check = recordCheck(declared);
  const typeOf = new Map(columns.map(({ name, type }) => [name, type]));
  const types = key?.columns.map((name) => typeOf.get(name) ?? 'text') ?? [];
  return ndjson
    .toString('utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const { values, errors } = check(parseRecord(line));
      const names = errors.length === 0 ? (key?.columns ?? []) : [];
      const key_hash =
        names.length === 0
          ? null
          : keyHash(
              names.map((name) => values[name]),
              types,
            );
      return { errors, key_hash };
    });
}

/** Long numbers keep their digits, as texts: the types that can hold them read those. */
export function parseRecord(line: string): unknown {
  if (!LONG_NUMBER.test(line)) return JSON.parse(line);
  return JSON.parse(line, (_name, value: unknown, context?: { source?: string }) => {
    const source = context?.source;
    return typeof value === 'number' && source !== undefined && LONG_NUMBER.test(source) ? source : value;
  });
}
