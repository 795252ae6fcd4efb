import { closeSync, openSync, writeSync } from 'node:fs';
import type { QuarantinedRow } from '#contract/load.ts';

const RAW_BYTES = 64 * 1024;

export interface Quarantine {
  path: string;
  count: number;
  add(line: number, reason: string, raw: Buffer, column?: string, value?: string): void;
  close(): void;
}

/** NDJSON of QuarantinedRow, made when the first row comes. */
export function openQuarantine(path: string): Quarantine {
  let file: number | undefined;
  let pending = '';
  const flush = () => {
    file ??= openSync(path, 'w');
    writeSync(file, pending);
    pending = '';
  };
  return {
    path,
    count: 0,
    add(line, reason, raw, column, value) {
      const row: QuarantinedRow = {
        line,
        column: column ?? null,
        reason,
        value: value === undefined ? null : value.slice(0, RAW_BYTES),
        raw: raw
          .subarray(0, RAW_BYTES)
          .toString('utf8')
          .replace(/[\r\n]+$/, ''),
      };
      pending += `${JSON.stringify(row)}\n`;
      this.count += 1;
      if (pending.length > 1 << 18) flush();
    },
    close() {
      if (pending !== '') flush();
      if (file !== undefined) closeSync(file);
      file = undefined;
    },
  };
}
