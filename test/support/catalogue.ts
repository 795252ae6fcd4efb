import { createHash, randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { newId } from '#kernel/ids.ts';
import { type Db, first, rows, sql, transaction } from '#platform/db/db.ts';
import type { ObjectStore } from '#platform/objects/store.ts';

/** A workspace whose tables hold something of everything, with the objects that they name. */
export interface Inhabited {
  workspace: string;
  dataset: string;
  /** Tasks by status. */
  tasks: Record<string, string>;
  objects: string[];
}

const json = (value: unknown) => sql`${JSON.stringify(value)}::jsonb`;

export async function inhabit(db: Db, objects: ObjectStore): Promise<Inhabited> {
  const [workspace, user, dataset, source] = [newId(), newId(), newId(), newId()];
  const tasks = Object.fromEntries(
    ['queued', 'running', 'succeeded', 'failed', 'cancelled'].map((status) => [status, newId()]),
  );
  const file = { id: newId(), body: randomBytes(100_000) };
  const segments = [0, 1].map(() => ({ id: newId(), body: randomBytes(50_000) }));
  const fileKey = `files/${workspace}/${file.id}`;
  const segmentKey = (id: string): string => `lake/${workspace}/${dataset}/${id}.parquet`;
  const spans = { id: newId(), key: `telemetry/spans/${newId()}.parquet`, body: randomBytes(1000) };
  await objects.put(fileKey, file.body);
  for (const { id, body } of segments) await objects.put(segmentKey(id), body);
  await objects.put(spans.key, spans.body);

  await transaction(db, async (tx) => {
    const run = (query: ReturnType<typeof sql>) => query.execute(tx);
    await run(sql`INSERT INTO settings (key, value) VALUES ('jwt_keys', ${json([{ kid: 'k' }])})`);
    await run(sql`INSERT INTO workspaces (id, name) VALUES (${workspace}, ${'Ñandú \t\\N "quoted"\nline'})`);
    await run(
      sql`INSERT INTO users (id, username, email, password_hash) VALUES (${user}, 'ana', 'a@example.org', 'x')`,
    );
    await run(sql`INSERT INTO memberships (workspace_id, user_id, role) VALUES (${workspace}, ${user}, 'owner')`);
    await run(sql`INSERT INTO api_tokens (id, workspace_id, user_id, name, secret_hash, prefix, scopes)
                  VALUES (${newId()}, ${workspace}, ${user}, 't', ${randomBytes(32)}, 'cdl_', ${['a:b', '{"}']})`);
    await run(sql`INSERT INTO sessions (id, user_id, workspace_id, expires_at)
                  VALUES (${newId()}, ${user}, ${workspace}, now() + interval '1 day')`);
    await run(sql`INSERT INTO audit_log (id, workspace_id, actor, action, detail)
                  VALUES (${newId()}, ${workspace}, 'ana', 'x.y', ${json({ line: 'a\n\u2028b\\' })})`);
    await run(sql`INSERT INTO files (id, workspace_id, filename, size, object_key, state)
                  VALUES (${file.id}, ${workspace}, 'año.csv', ${file.body.length}, ${fileKey}, 'loaded'),
                         (${newId()}, ${workspace}, 'gone.csv', 5, 'files/gone/gone', 'loaded'),
                         (${newId()}, ${workspace}, 'coming.csv', 5, 'files/coming/coming', 'pending')`);
    await run(sql`UPDATE files SET deleted_at = now() WHERE filename = 'gone.csv'`);
    await run(sql`INSERT INTO uploads (id, workspace_id, file_id, state, size, part_size, part_count, expires_at)
                  SELECT gen_random_uuid(), workspace_id, id,
                         CASE state WHEN 'pending' THEN 'open' ELSE 'completed' END, size, 8, 1, now() FROM files`);
    await run(sql`INSERT INTO upload_parts (upload_id, part_number, size) SELECT id, 1, 5 FROM uploads`);
    await run(sql`INSERT INTO datasets (id, workspace_id, name, mode, version, rows, bytes)
                  VALUES (${dataset}, ${workspace}, 'titanic', 'inferred', 2, 7, 1)`);
    for (const version of [1, 2]) {
      await run(sql`INSERT INTO dataset_versions (dataset_id, version, kind, columns, rows, bytes)
                    VALUES (${dataset}, ${version}, 'append', '[]', 7, 1)`);
    }
    await run(sql`INSERT INTO sources (id, workspace_id, dataset_id, kind, version, read, accepted, quarantined, duplicates)
                  VALUES (${source}, ${workspace}, ${dataset}, 'file', 2, 8, 7, 1, 0)`);
    for (const [at, { id, body }] of segments.entries()) {
      await run(sql`INSERT INTO segments (id, dataset_id, object_key, rows, bytes, source_ids, columns, added_version,
                                          removed_version, removed_at)
                    VALUES (${id}, ${dataset}, ${segmentKey(id)}, 7, ${body.length}, ${[source]}::uuid[], '[]', ${at + 1},
                            ${at === 0 ? 2 : null}, ${at === 0 ? new Date() : null})`);
    }
    await run(sql`INSERT INTO quarantine (id, workspace_id, dataset_id, source_id, line, reason, raw)
                  VALUES (${newId()}, ${workspace}, ${dataset}, ${source}, 9, 'r', ${'\\.\n\t\\N'})`);
    for (const [status, id] of Object.entries(tasks)) {
      await run(sql`INSERT INTO tasks (id, workspace_id, kind, status, input, fence, instance_id)
                    VALUES (${id}, ${workspace}, 'load', ${status}, ${json({ file_id: file.id })}, 3, ${newId()})`);
    }
    await run(sql`INSERT INTO instances (id, roles, host, pid, version) VALUES (${newId()}, '{api}', 'h', 1, 'v')`);
    await run(sql`INSERT INTO telemetry_segments (id, signal, object_key, rows, bytes, from_ns, to_ns)
                  VALUES (${spans.id}, 'spans', ${spans.key}, 1, ${spans.body.length}, 1, 2)`);
  });
  const keys = [fileKey, ...segments.map(({ id }) => segmentKey(id)), spans.key];
  return { workspace, dataset, tasks, objects: keys.sort() };
}

/** A digest of a table's rows, in no particular order. */
export async function tableDigest(db: Db, table: string, where: string): Promise<string> {
  const found = await first(
    db,
    sql<{ digest: string }>`
      SELECT count(*) || ' ' || md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) AS digest
      FROM ${sql.table(table)} t WHERE ${sql.raw(where)}`,
  );
  return found?.digest ?? '';
}

/** sha-256 by key, of everything in the store. */
export async function objectDigests(store: ObjectStore): Promise<Record<string, string>> {
  const digests: Record<string, string> = {};
  for await (const { key } of store.list('')) {
    const bytes = await buffer(await store.read(key));
    digests[key] = createHash('sha256').update(bytes).digest('hex');
  }
  return digests;
}

export async function columnOf<T>(db: Db, query: ReturnType<typeof sql<{ value: T }>>): Promise<T[]> {
  return (await rows(db, query)).map(({ value }) => value);
}
