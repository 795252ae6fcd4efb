import { DuckDBInstance } from '@duckdb/node-api';
import { writeXlsxStream } from 'hucre/xlsx';
import { answer } from '../harness/child.ts';

/** A SELECT of `HucreColumn.select` in the order in which the rows are listed. */
export interface HucreReport {
  from: string;
  order: string;
  columns: HucreColumn[];
}

export interface HucreColumn {
  header: string;
  /** A value that JavaScript takes as it is: text, double, boolean. */
  select: string;
  numFmt?: string;
}

/**
 * hucre 1.0.0, the fastest writer of workbooks on npm that streams: the same rows from the same Parquet, typed, below a frozen bold
 * header, to a sink that counts. Without summary, totals and provenance, which it has no means to write in the same pass.
 */
answer<HucreReport, { ms: number; first_ms: number; bytes: number }>(async ({ from, order, columns }) => {
  const began = performance.now();
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  const select = columns.map((column) => column.select).join(', ');
  const result = await connection.stream(`SELECT ${select} FROM ${from} ORDER BY ${order}`);
  async function* rows(): AsyncGenerator<(string | number | boolean | null)[]> {
    for (;;) {
      const chunk = await result.fetchChunk();
      if (!chunk || chunk.rowCount === 0) return;
      yield* chunk.getRows() as (string | number | boolean | null)[][];
    }
  }
  const shown = columns.map(({ header, numFmt }) => ({ header, width: 16, ...(numFmt ? { numFmt } : {}) }));
  let bytes = 0;
  let first_ms = 0;
  for await (const chunk of writeXlsxStream(rows(), { name: 'Detail', columns: shown, freezePane: { rows: 1 } })) {
    if (bytes === 0) first_ms = performance.now() - began;
    bytes += chunk.length;
  }
  return { ms: performance.now() - began, first_ms, bytes };
});
