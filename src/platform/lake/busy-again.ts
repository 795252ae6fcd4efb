import { CaudalError } from '#kernel/errors.ts';

const TRIES = 6;

/** Runs `work` again when the dataset changed under it (compaction, another commit): what it prepared was out of date. */
export async function busyAgain<T>(work: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await work();
    } catch (error) {
      const changed = error instanceof CaudalError && error.code === 'dataset_busy';
      if (!changed || tried >= TRIES) throw error;
    }
  }
}
