import { fail } from '#kernel/errors.ts';
import { sql, type Tx } from '#platform/db/db.ts';
import { jsonText } from '#platform/db/json.ts';
import { notKept } from './balance.ts';
import { hasOwnRow, insertBatchSources } from './batch-sources.ts';
import type { Addition, BatchAddition, Change, Head, NewSource } from './change.ts';
import type { Removed } from './end-segments.ts';
import { insertQuarantine, type QuarantineRow } from './quarantine.ts';
import { checkDeclared, inferSchema, type ResolvedSchema, type Schema } from './schema.ts';
import type { SegmentColumn } from './snapshot.ts';

/** Adds every addition in turn, each to the schema that the one before left. */
export async function addAll(tx: Tx, head: Head, version: number, change: Change, removed: Removed): Promise<Schema> {
  const replaced = change.kind === 'replace' && head.mode === 'inferred';
  let schema: Schema = { columns: replaced ? [] : head.columns, next_field_id: head.next_field_id };
  let hasRows = head.rows - removed.rows > 0;
  for (const addition of change.additions ?? []) {
    const resolved = resolve(head, schema, addition, hasRows);
    schema = resolved;
    hasRows ||= addition.source.accounting.accepted > 0;
    await insertSource(tx, head, version, change, addition, resolved);
    await insertSegments(tx, head.id, version, addition, resolved.physical);
    if (addition.quarantine) await quarantine(tx, head, addition, addition.quarantine);
  }
  for (const batches of change.batches ?? []) {
    schema = await addBatches(tx, head, version, change, batches, { schema, hasRows });
    hasRows ||= batches.segments.length > 0;
  }
  return { columns: schema.columns, next_field_id: schema.next_field_id };
}

/** Batches with something to tell get a row in `sources`, to which their quarantine refers; the others a place in a list. */
async function addBatches(
  tx: Tx,
  head: Head,
  version: number,
  change: Change,
  batches: BatchAddition,
  before: { schema: Schema; hasRows: boolean },
): Promise<Schema> {
  const { stream, sources, segments, columns, sniffed, loaded_at } = batches;
  const resolved = resolve(head, before.schema, batches, before.hasRows);
  await insertSegments(tx, head.id, version, { segments }, resolved.physical);
  const { kind, topic } = stream;
  for (const source of sources.filter(hasOwnRow)) {
    const { id, trace_id, span_id, accounting } = source;
    const asSource: NewSource = { id, kind, table_name: topic, trace_id, span_id, accounting, sniffed, loaded_at };
    const addition: Addition = { source: asSource, columns, segments: [], quarantine: source.quarantine ?? [] };
    await insertSource(tx, head, version, change, addition, resolved);
    await quarantine(tx, head, addition, source.quarantine ?? []);
  }
  await insertBatchSources(
    tx,
    { workspace_id: head.workspace_id, dataset_id: head.id, version, loaded_at },
    stream,
    sources,
  );
  return resolved;
}

function resolve(head: Head, schema: Schema, addition: Pick<Addition, 'columns'>, hasRows: boolean): ResolvedSchema {
  if (head.mode === 'declared') return checkDeclared(schema, addition.columns, head.name);
  return inferSchema(schema, addition.columns, { has_rows: hasRows, known: head.columns });
}

async function insertSource(
  tx: Tx,
  head: Head,
  version: number,
  change: Change,
  { source }: Addition,
  { physical }: ResolvedSchema,
): Promise<void> {
  const { read, accepted, quarantined, duplicates, skipped } = source.accounting;
  await sql`
    INSERT INTO sources (id, workspace_id, dataset_id, kind, file_id, filename, table_name, replay_of, task_id, trace_id,
                         span_id, version, read, accepted, quarantined, duplicates, skipped, sniffed, columns, loaded_at)
    VALUES (${source.id}, ${head.workspace_id}, ${head.id}, ${source.kind}, ${source.file_id ?? null},
            ${source.filename ?? null}, ${source.table_name ?? null}, ${source.replay_of ?? null}, ${change.task_id},
            ${source.trace_id ?? change.trace_id}, ${source.span_id ?? null}, ${version}, ${read}, ${accepted},
            ${quarantined}, ${duplicates}, ${jsonText(skipped)}::jsonb, ${jsonText(source.sniffed)}::jsonb,
            ${jsonText(physical)}::jsonb, ${source.loaded_at})`.execute(tx);
}

async function insertSegments(
  tx: Tx,
  datasetId: string,
  version: number,
  { segments }: Pick<Addition, 'segments'>,
  physical: SegmentColumn[],
): Promise<void> {
  if (segments.length === 0) return;
  const list = segments.map((segment) => ({ ...segment, columns: physical }));
  await sql`
    INSERT INTO segments (id, dataset_id, object_key, rows, bytes, source_ids, first_line, columns, profile, added_version)
    SELECT (s->>'id')::uuid, ${datasetId}, s->>'object_key', (s->>'rows')::bigint, (s->>'bytes')::bigint,
           ARRAY(SELECT jsonb_array_elements_text(s->'source_ids'))::uuid[], (s->>'first_line')::bigint,
           s->'columns', s->'profile', ${version}
    FROM jsonb_array_elements(${jsonText(list)}::jsonb) WITH ORDINALITY AS list(s, n)
    ORDER BY n`.execute(tx);
}

async function quarantine(
  tx: Tx,
  head: Head,
  { source }: Addition,
  found: AsyncIterable<QuarantineRow> | Iterable<QuarantineRow>,
): Promise<void> {
  const { workspace_id, id } = head;
  const owner = { workspace_id, dataset_id: id, source_id: source.id, file_id: source.file_id ?? null };
  const inserted = await insertQuarantine(tx, { ...owner, trace_id: source.trace_id ?? null }, found);
  if (inserted !== source.accounting.quarantined) throw notKept(source.accounting, inserted);
}

/** Rows that a version already has, at their old place in the order. */
export async function insertRewrites(
  tx: Tx,
  head: Head,
  version: number,
  change: Change,
  removed: Removed,
): Promise<{ rows: number; bytes: number }> {
  let rowCount = 0;
  let bytes = 0;
  for (const { segment, replaces, deleted = 0 } of change.rewrites ?? []) {
    const positions = replaces.map((id) => removed.segments.get(id)?.position ?? Number.NaN);
    const before = sum(replaces.map((id) => removed.segments.get(id)?.rows ?? 0));
    if (sum(replaces.map((id) => removed.segments.get(id)?.deleted ?? 0)) !== deleted) {
      throw fail('dataset_busy', `Rows of "${head.name}" ended while it was being written anew.`);
    }
    if (change.kind === 'compact' && before !== segment.rows) {
      throw fail('accounting_imbalance', `Compacting "${head.name}" read ${before} rows and wrote ${segment.rows}.`);
    }
    await sql`
      INSERT INTO segments (id, dataset_id, object_key, rows, bytes, source_ids, first_line, columns, profile,
                            added_version, position)
      OVERRIDING SYSTEM VALUE
      VALUES (${segment.id}, ${head.id}, ${segment.object_key}, ${segment.rows}, ${segment.bytes},
              ${segment.source_ids}::uuid[], ${segment.first_line}, ${jsonText(segment.columns)}::jsonb,
              ${jsonText(segment.profile ?? null)}::jsonb, ${version}, ${Math.min(...positions)})`.execute(tx);
    rowCount += segment.rows;
    bytes += segment.bytes;
  }
  return { rows: rowCount, bytes };
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
