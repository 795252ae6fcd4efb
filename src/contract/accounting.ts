import type { Accounting } from './accounting-schema.ts';

/** Apart from the schema: see columns.ts. */
export type { Accounting } from './accounting-schema.ts';

export function balances(accounting: Accounting): boolean {
  return accounting.read === accounting.accepted + accounting.quarantined + accounting.duplicates;
}

export function addAccounting(a: Accounting, b: Accounting): Accounting {
  return {
    read: a.read + b.read,
    accepted: a.accepted + b.accepted,
    quarantined: a.quarantined + b.quarantined,
    duplicates: a.duplicates + b.duplicates,
    skipped: [...a.skipped, ...b.skipped].slice(0, 100),
  };
}

export const NOTHING_READ: Accounting = { read: 0, accepted: 0, quarantined: 0, duplicates: 0, skipped: [] };
