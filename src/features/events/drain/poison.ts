import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReadTable, StreamRequest } from '#contract/load.ts';
import { CaudalError } from '#kernel/errors.ts';
import type { QuarantineRow } from '#platform/lake/quarantine.ts';

const FATAL = new Set(['reader_crashed', 'reader_memory', 'reader_timeout', 'value_too_large']);

/** Whether the records may be why the writer failed; everything else passes and is tried again. */
export function isUnreadable(error: unknown): error is CaudalError {
  return error instanceof CaudalError && FATAL.has(error.code);
}

const MOST_RAW = 65_536;

/**
 * A batch that ends whatever process reads it: all its records go to quarantine, from where they can be replayed,
 * because one batch must not stop a stream for ever.
 */
export async function refuseBatch(request: StreamRequest, error: CaudalError): Promise<ReadTable> {
  const quarantine_path = join(request.out_dir, 'refused.ndjson');
  const file = await open(quarantine_path, 'w', 0o600);
  let line = request.batches[0]?.first_offset ?? 1;
  const lines = (await readFile(request.path, 'utf8')).split('\n').slice(0, -1);
  for (const text of lines) {
    const raw = text.trim().slice(0, MOST_RAW);
    const row: QuarantineRow = { line, column: null, reason: error.message, value: null, raw };
    await file.write(`${JSON.stringify(row)}\n`);
    line += 1;
  }
  await file.close();
  const quarantined = lines.length;
  return {
    ...{ source_id: '', sniffed: { format: 'ndjson' }, columns: [], segments: [], quarantine_path },
    accounting: { read: quarantined, accepted: 0, quarantined, duplicates: 0, skipped: [] },
  };
}
