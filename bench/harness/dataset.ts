import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { salesCsv } from './inputs.ts';
import { type Caudal, idle, loadFile } from './installation.ts';
import type { Bench } from './row.ts';

/** Loads a CSV and says where its Parquet lies, so that the reference reads the same bytes. */
export async function datasetOf(bench: Bench, rows: number): Promise<{ name: string; parquet: string }> {
  const { caudal } = bench;
  const name = bench.fresh('facts');
  await loadFile(caudal, await salesCsv(rows), `${name}.csv`);
  await idle(caudal.client);
  const { id } = await caudal.client.get<{ id: string }>(`datasets/${name}`);
  return {
    name,
    parquet: `read_parquet([${segmentFiles(caudal, id)
      .map((path) => `'${path}'`)
      .join(', ')}])`,
  };
}

function segmentFiles(caudal: Caudal, datasetId: string): string[] {
  const lake = join(caudal.dir, 'objects');
  const found = readdirSync(lake, { recursive: true, encoding: 'utf8' });
  const paths = found.filter((path) => path.includes(datasetId) && path.endsWith('.parquet'));
  if (paths.length === 0) throw new Error(`no segments of ${datasetId} below ${lake}`);
  return paths.sort().map((path) => join(lake, path));
}

/** Reads an answer to its end. @returns its bytes */
export async function drain(response: Response): Promise<number> {
  let bytes = 0;
  for await (const chunk of response.body ?? []) bytes += chunk.length;
  return bytes;
}
