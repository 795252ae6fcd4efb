import type { DuckDBConnection } from '@duckdb/node-api';
import './csv.ts';
import { sniffDialect } from './dialect.ts';
import { inferColumns } from './infer.ts';
import { findLayout } from './layout.ts';
import { parseSample } from './sample.ts';

/** Runs the sniffer over made-up rows and DuckDB over a few, so that the first real file meets warm code. */
export async function rehearse(connection: DuckDBConnection): Promise<void> {
  const rows = Array.from(
    { length: 400 },
    (_, row) => `${row},2024-01-${String((row % 28) + 1).padStart(2, '0')},"a, ""b""\nc",${row / 7},true,x${row}\n`,
  );
  const text = Buffer.from(`id,day,words,share,flag,code\n${rows.join('')}`);
  for (let round = 0; round < 3; round += 1) {
    const dialect = sniffDialect(text, true, {});
    const records = parseSample(text, dialect, { complete: true, most: 1000 });
    const layout = findLayout(records, {});
    inferColumns(
      layout.header ?? [],
      records.slice(layout.first).map((record) => record.cells),
      {},
      dialect.delimiter,
    );
  }
  await connection.run(
    `SELECT CAST('1' AS BIGINT), strptime('01/02/2024', '%d/%m/%Y'), regexp_full_match('a', 'b') FROM range(10)`,
  );
  connection.closeSync();
}
