import { NOTHING_READ } from '#contract/accounting.ts';
import type { ReadTable } from '#contract/load.ts';
import { newId } from '#kernel/ids.ts';

/** What a text file without any line is: a table without rows or columns. */
export function emptyTable(): ReadTable {
  return {
    source_id: newId(),
    sniffed: { format: 'csv', encoding: 'utf-8' },
    columns: [],
    segments: [],
    accounting: NOTHING_READ,
  };
}
