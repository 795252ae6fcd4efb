import type { ReadLimits } from '#contract/load.ts';
import { formatBytes } from '#kernel/bytes.ts';
import { fail } from '#kernel/errors.ts';

/** What is unpacked may be this large whatever its ratio: small files of equal lines pack 500 : 1 honestly. */
const RATIO_FREE_BYTES = 64 * 1024 * 1024;

export interface Budget {
  /** Call for every chunk before it is kept. @throws decompression_bomb */
  take(bytes: number): void;
}

/** Counts what a packed file of `packed` bytes unpacks to, over all of its entries. */
export function createBudget(
  packed: number,
  limits: Pick<ReadLimits, 'max_unpacked_bytes' | 'max_ratio'>,
  free_bytes = RATIO_FREE_BYTES,
): Budget {
  let used = 0;
  return {
    take(bytes) {
      used += bytes;
      if (used > limits.max_unpacked_bytes) {
        throw bomb(`It unpacks to more than ${formatBytes(limits.max_unpacked_bytes)}.`);
      }
      if (used > free_bytes && used > packed * limits.max_ratio) {
        throw bomb(`It unpacks to more than ${limits.max_ratio} times its size of ${formatBytes(packed)}.`);
      }
    },
  };
}

function bomb(detail: string): Error {
  return fail('decompression_bomb', detail, {
    hint: 'If the file is honest, unpack it yourself, or split it, and upload the parts.',
  });
}
