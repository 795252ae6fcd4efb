import { type Accounting, addAccounting, balances, NOTHING_READ } from '#contract/accounting.ts';
import { type CaudalError, fail } from '#kernel/errors.ts';
import type { Addition, BatchAddition, Change } from './change.ts';

/** Of every source: read = accepted + quarantined + duplicates, and as many rows written. @throws accounting_imbalance */
export function checkBalances({ additions = [], batches = [] }: Change): void {
  for (const addition of additions) checkAddition(addition);
  for (const addition of batches) checkBatches(addition);
}

function checkBatches({ sources, segments }: BatchAddition): void {
  for (const { accounting, quarantine } of sources) {
    checkBalance(accounting, accounting.accepted);
    if ((quarantine?.length ?? 0) !== accounting.quarantined) throw notKept(accounting, quarantine?.length ?? 0);
  }
  const total = sources.map(({ accounting }) => accounting).reduce(addAccounting, NOTHING_READ);
  checkBalance(total, rowsOf(segments));
}

function checkAddition({ source, segments }: Addition): void {
  checkBalance(source.accounting, rowsOf(segments));
}

function checkBalance(accounting: Accounting, written: number): void {
  if (balances(accounting) && written === accounting.accepted) return;
  const { read, accepted, quarantined, duplicates } = accounting;
  throw fail(
    'accounting_imbalance',
    `Of ${read} records read, ${accepted} were accepted (${written} written), ${quarantined} quarantined and ${duplicates} were duplicates: the sum does not balance, so nothing was loaded.`,
  );
}

export function notKept({ quarantined }: Accounting, kept: number): CaudalError {
  return fail(
    'accounting_imbalance',
    `${quarantined} records were counted as quarantined but ${kept} were kept, so nothing was loaded.`,
  );
}

export function rowsOf(segments: readonly { rows: number }[]): number {
  return segments.reduce((total, { rows }) => total + rows, 0);
}
