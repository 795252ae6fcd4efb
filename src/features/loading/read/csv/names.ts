import { SYSTEM_COLUMNS } from '#contract/columns.ts';

const LONGEST = 1000;

/**
 * Column names from header cells: kept as written; empty ones become `column3` (counted from 0),
 * repeated ones `name_1`, `name_2`. DuckDB compares names without case, so `ID` beside `id` counts
 * as a repetition, and so do the names of the system columns.
 */
export function columnNames(header: readonly (string | undefined)[], width: number): string[] {
  const written = Array.from({ length: width }, (_, index) => nameOf(header[index], index));
  const reserved = new Set(written.map((name) => name.toLowerCase()));
  const used = new Set<string>(SYSTEM_COLUMNS);
  return written.map((name) => {
    const unique = used.has(name.toLowerCase()) ? firstFree(name, used, reserved) : name;
    used.add(unique.toLowerCase());
    return unique;
  });
}

function nameOf(cell: string | undefined, index: number): string {
  const name = (cell ?? '').replaceAll('\0', '').slice(0, LONGEST);
  return name.trim() === '' ? `column${index}` : name;
}

function firstFree(name: string, used: Set<string>, reserved: Set<string>): string {
  for (let number = 1; ; number += 1) {
    const candidate = `${name.slice(0, LONGEST - 6)}_${number}`;
    const key = candidate.toLowerCase();
    if (!used.has(key) && !reserved.has(key)) return candidate;
  }
}
