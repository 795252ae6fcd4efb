/** The middle value; the mean of the two middle ones for an even number. NaN for none. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Linear interpolation between the closest ranks (type 7 of Hyndman and Fan). */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

export interface Rounds {
  /** Pairs that count, after one that does not. */
  rounds: number;
}

/**
 * Runs both sides in turn, so that what else the machine does meets both alike. The first pair warms up and is dropped.
 */
export async function alternate<A, B>(
  { rounds }: Rounds,
  ours: (round: number) => Promise<A>,
  theirs: (round: number) => Promise<B>,
): Promise<{ ours: A[]; theirs: B[] }> {
  const results: { ours: A[]; theirs: B[] } = { ours: [], theirs: [] };
  for (let round = 0; round <= rounds; round += 1) {
    const mine = await ours(round);
    const other = await theirs(round);
    if (round === 0) continue;
    results.ours.push(mine);
    results.theirs.push(other);
  }
  return results;
}
