import { CaudalError, fail, type StoredError, toStoredError } from '#kernel/errors.ts';

/** What a child tells its parent about an error; one that is none of ours leaves its stack on stderr. */
export function describe(error: unknown): StoredError {
  if (error instanceof CaudalError) return toStoredError(error);
  const message = error instanceof Error ? error.message : String(error);
  if (/Out of Memory|bad_alloc|Array buffer allocation failed/i.test(message)) {
    return toStoredError(
      fail('reader_memory', 'Reading the file needed more memory than a reader may use.', {
        hint: 'Split the file, or raise the memory limit of the workers.',
      }),
    );
  }
  process.stderr.write(`${error instanceof Error ? error.stack : message}\n`);
  return toStoredError(
    fail('reader_crashed', `The reader gave up: ${message.slice(0, 500)}`, {
      hint: 'Check that the file opens in another program; if it does, please report it.',
    }),
  );
}
