import { createReadStream } from 'node:fs';
import { fail } from '#kernel/errors.ts';
import { linesOf } from '#kernel/lines.ts';
import { copyInto } from '#platform/db/copy.ts';
import { type Db, rows, sql, type Tx, uniqueViolation } from '#platform/db/db.ts';

/** A file of lines `key hash <tab> source id`, in the order of the hashes: whoever takes keys takes them in one order. */
export interface KeyFile {
  path: string;
  count: number;
}

/** What a commit does to the keys of a dataset; made by `settleKeys`. */
export interface KeyChange {
  /** Sources that had taken keys before their rows came: all are free, those that rows have are among `taken`. */
  freed: readonly string[];
  /** Keys that nobody had. */
  taken: KeyFile;
  /** Keys that pass from the source named to a newer row, which is among those taken. */
  passed: KeyFile;
}

const AT_ONCE = 10_000;

/**
 * Which of the keys are taken already, and by whose row; of sources in `freed` none counts. Ask in the order of
 * the hashes: neighbours in the index are neighbours on its pages.
 */
export function keyOwners(
  db: Db,
  datasetId: string,
  hashes: readonly string[],
  freed: readonly string[] = [],
): Promise<{ key_hash: string; source_id: string }[]> {
  return rows(
    db,
    sql<{ key_hash: string; source_id: string }>`
      SELECT key_hash, source_id FROM dataset_keys
      WHERE dataset_id = ${datasetId} AND key_hash = ANY(${hashes}::uuid[]) AND source_id <> ALL(${freed}::uuid[])`,
  );
}

/**
 * Takes keys for rows that are acknowledged before they are in the lake: in the acknowledging transaction, so
 * that of any number of requests with one key one alone succeeds. Waits for transactions that have the key and
 * have not ended.
 *
 * @returns the keys that were taken before; the caller rolls back or leaves their rows out
 */
export async function reserveKeys(
  tx: Tx,
  datasetId: string,
  sourceId: string,
  hashes: readonly string[],
): Promise<Set<string>> {
  const sorted = [...new Set(hashes)].sort();
  const taken = await rows(
    tx,
    sql<{ key_hash: string }>`
      INSERT INTO dataset_keys (dataset_id, key_hash, source_id)
      SELECT ${datasetId}, hash, ${sourceId} FROM unnest(${sorted}::uuid[]) AS hash
      ON CONFLICT DO NOTHING RETURNING key_hash`,
  );
  const ours = new Set(taken.map(({ key_hash }) => key_hash));
  return new Set(sorted.filter((hash) => !ours.has(hash)));
}

/** The keys of rows that end are free again. */
export async function releaseKeys(tx: Tx, datasetId: string, sources: readonly string[] | 'all'): Promise<void> {
  if (sources === 'all') {
    await sql`DELETE FROM dataset_keys WHERE dataset_id = ${datasetId}`.execute(tx);
  } else if (sources.length > 0) {
    await sql`
      DELETE FROM dataset_keys WHERE dataset_id = ${datasetId} AND source_id = ANY(${sources}::uuid[])`.execute(tx);
  }
}

/**
 * Does what was prepared, all or nothing: a key that somebody took or that changed hands since is the caller's to
 * settle again.
 *
 * @throws dataset_busy
 */
export async function changeKeys(tx: Tx, datasetId: string, { freed, taken, passed }: KeyChange): Promise<void> {
  await releaseKeys(tx, datasetId, freed);
  if (passed.count > 0) await passKeys(tx, datasetId, passed);
  if (taken.count === 0) return;
  try {
    const statement = 'COPY dataset_keys (dataset_id, key_hash, source_id) FROM STDIN';
    const count = await copyInto(tx, statement, keyLines(datasetId, taken.path));
    if (count !== taken.count) throw new Error(`${taken.count} keys were settled and ${count} written`);
  } catch (error) {
    throw uniqueViolation(error) === undefined ? error : busy();
  }
}

async function* keyLines(datasetId: string, path: string): AsyncGenerator<string> {
  let text = '';
  for await (const line of linesOf(createReadStream(path))) {
    text += `${datasetId}\t${line}\n`;
    if (text.length < 65_536) continue;
    yield text;
    text = '';
  }
  if (text !== '') yield text;
}

async function passKeys(tx: Tx, datasetId: string, passed: KeyFile): Promise<void> {
  let batch: [hash: string, source: string][] = [];
  const flush = async (): Promise<void> => {
    const result = await sql`
      DELETE FROM dataset_keys k
      USING unnest(${batch.map(([hash]) => hash)}::uuid[], ${batch.map(([, source]) => source)}::uuid[]) AS p(hash, source)
      WHERE k.dataset_id = ${datasetId} AND k.key_hash = p.hash AND k.source_id = p.source`.execute(tx);
    if (Number(result.numAffectedRows ?? 0) !== batch.length) throw busy();
    batch = [];
  };
  for await (const line of linesOf(createReadStream(passed.path))) {
    const [hash = '', source = ''] = line.split('\t');
    batch.push([hash, source]);
    if (batch.length === AT_ONCE) await flush();
  }
  if (batch.length > 0) await flush();
}

function busy(): Error {
  return fail('dataset_busy', 'Keys were taken while this was being prepared.');
}
