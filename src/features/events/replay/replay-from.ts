import { fail } from '#kernel/errors.ts';
import { type Db, first, sql } from '#platform/db/db.ts';
import { type ArchiveReading, readArchive } from '#platform/stream/archive.ts';

/**
 * Offset of the first event of a topic that was acknowledged at or after a time.
 * @throws events_gone when events of that time are no longer kept; invalid_input when none came since
 */
export async function offsetSince(tools: ArchiveReading & { db: Db }, topicId: string, from: Date): Promise<number> {
  const oldest = await first(
    tools.db,
    sql<{ first_offset: number | null; at: Date | null }>`
      SELECT min(first_offset) AS first_offset, min(at) AS at FROM (
        SELECT first_offset, first_at AS at FROM event_archives WHERE topic_id = ${topicId}
        UNION ALL SELECT first_offset, created_at FROM event_batches WHERE topic_id = ${topicId}) kept`,
  );
  if (!oldest?.first_offset || !oldest.at) throw fail('events_gone', 'No event of this topic is kept.');
  if (oldest.first_offset > 1 && from < oldest.at) {
    throw fail('events_gone', `Events are kept since ${oldest.at.toISOString()}.`);
  }
  const archive = await first(
    tools.db,
    sql<{ object_key: string }>`
      SELECT object_key FROM event_archives WHERE topic_id = ${topicId} AND last_at >= ${from}
      ORDER BY first_offset LIMIT 1`,
  );
  if (archive) {
    const found = (await readArchive(tools, archive.object_key)).find(({ created_at }) => created_at >= from);
    if (found) return found.first_offset;
  }
  const batch = await first(
    tools.db,
    sql<{ first_offset: number | null }>`
      SELECT min(first_offset) AS first_offset FROM event_batches WHERE topic_id = ${topicId} AND created_at >= ${from}`,
  );
  if (batch?.first_offset) return batch.first_offset;
  throw fail('invalid_input', `No event came since ${from.toISOString()}.`, {
    errors: [{ field: 'from', code: 'too_late', message: 'No event came since then.' }],
  });
}
