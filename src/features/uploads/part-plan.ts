const MIB = 1 << 20;
const SMALLEST = 8 * MIB;
const LARGEST_WANTED = 64 * MIB;
const WANTED_PARTS = 256;
const MOST_PARTS = 10_000;

export interface PartPlan {
  part_size: number;
  part_count: number;
}

/**
 * Equal parts of whole MiB: at least 8 MiB, growing with the file so that a large one is not tens of
 * thousands of requests, at most 64 MiB so that a broken connection costs little, unless 10,000
 * parts would not hold it. An empty file is one empty part.
 */
export function planParts(size: number): PartPlan {
  const wanted = Math.min(LARGEST_WANTED, Math.max(SMALLEST, Math.ceil(size / WANTED_PARTS / MIB) * MIB));
  const part_size = Math.max(wanted, Math.ceil(size / MOST_PARTS / MIB) * MIB);
  return { part_size, part_count: Math.max(1, Math.ceil(size / part_size)) };
}
