import { buffer } from 'node:stream/consumers';
import { faultPoint } from '#kernel/fault-points.ts';
import { newId } from '#kernel/ids.ts';
import { type Db, rows, sql, transaction } from '#platform/db/db.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import { type ArchivedBatch, decodeArchive, encodeArchive } from './archive-format.ts';
import { type BatchBounds, batchesAfter, type StoredBatch, unpackBatch } from './read.ts';

export interface ArchiveTools {
  db: Db;
  objects: Pick<ObjectStore, 'put' | 'read' | 'delete'>;
}

/** What it takes to read archives. */
export interface ArchiveReading {
  objects: Pick<ObjectStore, 'read'>;
}

export interface ArchiveOptions {
  /** A topic's taken batches wait until they are worth an object, or this old. */
  worth_bytes: number;
  worth_batches: number;
  most_age_ms: number;
  bounds: BatchBounds;
}

export const ARCHIVE: ArchiveOptions = {
  worth_bytes: 8 * 2 ** 20,
  worth_batches: 5_000,
  most_age_ms: 3_600_000,
  bounds: { most_batches: 5_000, most_bytes: 16 * 2 ** 20 },
};

interface Taken {
  topic_id: string;
  workspace_id: string;
  kind: 'topic' | 'rows';
  /** Every subscription has passed this offset. */
  until: number;
}

/**
 * Batches that every subscription has taken leave the database: those of topics as objects, from which they can
 * be replayed; direct rows have become rows and nothing else. The object is durable before its batches go, and
 * what takes their place is written in the transaction that deletes them. @returns batches
 */
export async function archiveBatches(tools: ArchiveTools, options: ArchiveOptions = ARCHIVE): Promise<number> {
  const ready = await rows(
    tools.db,
    sql<Taken>`
      SELECT topic_id, workspace_id, kind, until FROM (
        SELECT t.id AS topic_id, t.workspace_id, t.kind, u.until, count(*) AS batches, sum(b.bytes) AS bytes,
               min(b.created_at) AS oldest
        FROM topics t
        CROSS JOIN LATERAL (
          SELECT coalesce(min(s.position), t.head) AS until FROM subscriptions s WHERE s.topic_id = t.id) u
        JOIN event_batches b ON b.topic_id = t.id AND b.last_offset <= u.until
        GROUP BY t.id, u.until) taken
      WHERE kind = 'rows' OR bytes >= ${options.worth_bytes} OR batches >= ${options.worth_batches}
         OR oldest < now() - ${options.most_age_ms} * interval '1 millisecond'`,
  );
  let archived = 0;
  for (const taken of ready)
    archived += taken.kind === 'rows' ? await drop(tools.db, taken) : await store(tools, taken, options);
  return archived;
}

async function drop(db: Db, { topic_id, until }: Taken): Promise<number> {
  const gone = await sql`
    DELETE FROM event_batches WHERE topic_id = ${topic_id} AND last_offset <= ${until}`.execute(db);
  return Number(gone.numAffectedRows ?? 0);
}

async function store(tools: ArchiveTools, taken: Taken, options: ArchiveOptions): Promise<number> {
  const { topic_id, workspace_id, until } = taken;
  let archived = 0;
  for (;;) {
    const found = (await batchesAfter(tools.db, topic_id, 0, options.bounds)).filter(
      (batch) => batch.last_offset <= until,
    );
    const [first] = found;
    const last = found.at(-1);
    if (!first || !last) return archived;
    const id = newId();
    const object_key = `events/${workspace_id}/${topic_id}/${id}.ndjson.zst`;
    const bytes = encodeArchive(found.map(describe), await Promise.all(found.map(unpackBatch)));
    await tools.objects.put(object_key, bytes);
    await transaction(tools.db, async (tx) => {
      await sql`
        INSERT INTO event_archives (id, workspace_id, topic_id, first_offset, last_offset, first_at, last_at, batches,
                                    bytes, object_key)
        VALUES (${id}, ${workspace_id}, ${topic_id}, ${first.first_offset}, ${last.last_offset}, ${first.created_at},
                ${last.created_at}, ${found.length}, ${bytes.length}, ${object_key})`.execute(tx);
      const gone = await sql`
        DELETE FROM event_batches
        WHERE topic_id = ${topic_id} AND first_offset BETWEEN ${first.first_offset} AND ${last.first_offset}`.execute(
        tx,
      );
      if (Number(gone.numAffectedRows ?? 0) !== found.length)
        throw new Error('batches changed while they were archived');
      faultPoint('archive.before-commit');
    });
    archived += found.length;
  }
}

function describe({ id, first_offset, last_offset, carrier, trace_id, created_at }: StoredBatch): ArchivedBatch {
  return { id, first_offset, last_offset, carrier, trace_id, created_at: created_at.toISOString() };
}

/** Archives that are older than events are kept, and counts that no rate looks at. @returns archives */
export async function expireArchives(tools: ArchiveTools, keep_ms: number): Promise<number> {
  await sql`DELETE FROM topic_minutes WHERE minute < now() - interval '25 hours'`.execute(tools.db);
  const gone = await rows(
    tools.db,
    sql<{ object_key: string }>`
      DELETE FROM event_archives WHERE last_at < now() - ${keep_ms} * interval '1 millisecond' RETURNING object_key`,
  );
  for (const { object_key } of gone) await tools.objects.delete(object_key);
  return gone.length;
}

/**
 * The batches behind an offset, from archives first and from the database where those end: what a replay, or a
 * subscription that was set back, reads. In order, a group at a time; a gap means that events are no longer kept.
 */
export async function* allBatchesAfter(
  tools: ArchiveReading & { db: Db },
  topicId: string,
  after: number,
  bounds: BatchBounds,
): AsyncGenerator<StoredBatch[]> {
  let position = after;
  for (;;) {
    const [archive] = await rows(
      tools.db,
      sql<{ object_key: string }>`
        SELECT object_key FROM event_archives WHERE topic_id = ${topicId} AND last_offset > ${position}
        ORDER BY first_offset LIMIT 1`,
    );
    const batches = archive
      ? (await readArchive(tools, archive.object_key)).filter(({ first_offset }) => first_offset > position)
      : await batchesAfter(tools.db, topicId, position, bounds);
    const last = batches.at(-1);
    if (!last) return;
    yield batches;
    position = last.last_offset;
  }
}

export async function readArchive({ objects }: ArchiveReading, key: string): Promise<StoredBatch[]> {
  const { batches, records } = decodeArchive(await buffer(await objects.read(key)));
  return batches.map((batch, index) => {
    const payload = records[index] ?? Buffer.alloc(0);
    return { ...batch, bytes: payload.length, packed: false, payload, created_at: new Date(batch.created_at) };
  });
}
