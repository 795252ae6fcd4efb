import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import type { Client } from './client.ts';

export interface Truth {
  rows: number;
  sum: number;
}

const PLACES = ['Bogotá', 'Medellín', 'Cali', 'Barranquilla', 'Cartagena', 'Cúcuta', 'Soledad'];

/** Lines from `first` on, about 90 bytes each: every row is recognisable, so that none can be lost or doubled unseen. */
function lines(first: number, count: number): string {
  let text = '';
  for (let id = first; id < first + count; id += 1) {
    text += `${id},${PLACES[id % PLACES.length]},${(id % 9973) / 4},2026-0${1 + (id % 9)}-1${id % 10},"entry ${id}, as it came in by the ${id % 60} o'clock post"\n`;
  }
  return text;
}

const HEADER = 'id,place,amount,day,note\n';

/** A CSV with ids 1…n. */
export function numbersCsv(rows: number, first = 1): string {
  return HEADER + lines(first, rows);
}

/** The same, as large as asked for, written to a file. */
export async function writeNumbers(path: string, bytes: number): Promise<Truth> {
  const file = createWriteStream(path);
  file.write(HEADER);
  let rows = 0;
  while (file.bytesWritten + file.writableLength < bytes) {
    const wide = file.write(lines(rows + 1, 2000));
    rows += 2000;
    if (!wide) await once(file, 'drain');
  }
  file.end();
  await once(file, 'close');
  return truthOf(rows);
}

export function truthOf(rows: number): Truth {
  return { rows, sum: (rows * (rows + 1)) / 2 };
}

/** The dataset holds each of ids 1…n exactly once, and its description says the same. */
export async function holdsExactly(client: Client, dataset: string, { rows, sum }: Truth): Promise<void> {
  const [found] = await client.sql(
    `SELECT count(*) AS n, count(DISTINCT id) AS ids, min(id) AS low, max(id) AS high, sum(id) AS total FROM "${dataset}"`,
  );
  assert.deepEqual(
    { ...found, total: Number(found?.['total']) },
    { n: rows, ids: rows, low: 1, high: rows, total: sum },
  );
  const description = await client.get(`/datasets/${dataset}`);
  assert.equal(description.rows, rows);
}

/** Every source of the dataset balances, and together they are its rows. */
export async function accountsBalance(client: Client, dataset: string): Promise<void> {
  const { items } = await client.get(`/datasets/${dataset}/sources?limit=1000`);
  for (const { accounting } of items) {
    assert.equal(accounting.read, accounting.accepted + accounting.quarantined + accounting.duplicates);
  }
}
