import type { Cost } from './process-tree.ts';
import { median } from './statistics.ts';

export function milliseconds(ms: number): string {
  if (ms >= 10_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  return ms >= 100 ? `${ms.toFixed(0)} ms` : `${ms.toFixed(1)} ms`;
}

export function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}

export function times(ratio: number): string {
  return `${ratio.toFixed(2)} ×`;
}

/** Medians of both sides, as the table's last column shows them. */
export function costs(ours: readonly Cost[], theirs: readonly Cost[]): string {
  const one = (list: readonly Cost[]) =>
    `${(median(list.map(({ cpu_ms }) => cpu_ms)) / 1000).toFixed(2)} s +${megabytes(median(list.map(({ growth_bytes }) => growth_bytes)))}`;
  return theirs.length > 0 ? `${one(ours)} / ${one(theirs)}` : one(ours);
}
