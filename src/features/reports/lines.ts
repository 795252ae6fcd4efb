import type { DuckDBConnection } from '@duckdb/node-api';
import { quoteLiteral } from '#contract/columns.ts';
import { closeWriter, readFifo } from '#platform/process/fifo.ts';
import type { ReportPlan } from './report-plan.ts';

export interface Lines {
  /** At least one whole row and at most `most`. */
  next(most: number): Promise<{ bytes: Buffer; count: number }>;
  /** Waits for the engine's end. @throws what it failed of; if rows are left over */
  end(): Promise<void>;
}

const LINE_END = 10;

/**
 * Runs a SELECT of one text and gives its rows as lines; the engine waits while nobody takes them. Resolves when there are the first
 * ones: what is sorted was sorted then, and what fails before can be asked again.
 */
export async function linesOf(
  connection: DuckDBConnection,
  sql: string,
  { pipe, parameters }: Pick<ReportPlan, 'pipe' | 'parameters'>,
): Promise<Lines> {
  const source = readFifo(pipe);
  // The delimiter is a character that no XML holds: nothing is quoted.
  const copied = connection.run(
    `COPY (${sql}) TO ${quoteLiteral(pipe)} (FORMAT csv, HEADER false, DELIMITER '\u0001', QUOTE '', ESCAPE '', USE_TMP_FILE false)`,
    parameters,
  );
  copied.catch(() => closeWriter(pipe));
  const pieces = source[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const first = await pieces.next();
  // An end may be that of a failure.
  if (first.done) await copied;
  let rest: Buffer = first.value ?? Buffer.alloc(0);

  return {
    async next(most) {
      for (;;) {
        const { count, end } = wholeLines(rest, most);
        if (count > 0) {
          const bytes = rest.subarray(0, end);
          rest = rest.subarray(end);
          return { bytes, count };
        }
        const piece = await pieces.next();
        if (piece.done) {
          await copied;
          throw new Error('fewer rows came out than were counted');
        }
        rest = rest.length === 0 ? piece.value : Buffer.concat([rest, piece.value]);
      }
    },
    async end() {
      const { done } = rest.length > 0 ? { done: false } : await pieces.next();
      await copied;
      if (!done) throw new Error('more rows came out than were counted');
    },
  };
}

/** Where the last line that ends in the bytes ends; of `most` lines. */
function wholeLines(bytes: Buffer, most: number): { count: number; end: number } {
  let count = 0;
  let end = 0;
  while (count < most) {
    const next = bytes.indexOf(LINE_END, end);
    if (next < 0) break;
    end = next + 1;
    count += 1;
  }
  return { count, end };
}
