import type pg from 'pg';

/** The way of a table into a backup. Any table that is not named here is kept whole. */
interface TableRule {
  /** Only rows that satisfy this SQL; `false` for a table that is left empty. */
  keep: string | false;
  why: string;
}

const STORED = `state <> 'pending'`;
const ENDED_UPLOADS = `state IN ('completed', 'aborted') AND file_id IN (SELECT id FROM files WHERE ${STORED})`;

export const TABLE_RULES: Record<string, TableRule> = {
  instances: { keep: false, why: 'the processes of one moment' },
  task_losses: { keep: false, why: 'who lost what, for a week' },
  task_objects: { keep: false, why: 'objects of runs that a backup interrupts' },
  supervisors: { keep: false, why: 'the processes of one moment' },
  worker_pool: { keep: false, why: 'decided anew by who runs workers' },
  idempotency_keys: { keep: false, why: 'answers for a day' },
  sessions: { keep: false, why: 'who was signed in signs in again' },
  sign_in_links: { keep: false, why: 'a spent secret must not come back' },
  rate_limits: { keep: false, why: 'counts of minutes' },
  telemetry_flushes: { keep: false, why: 'names write-ahead files that are no part of a backup' },
  files: { keep: STORED, why: 'the bytes of the others have not arrived' },
  uploads: { keep: ENDED_UPLOADS, why: 'the parts of open ones are not copied' },
  upload_parts: { keep: `upload_id IN (SELECT id FROM uploads WHERE ${ENDED_UPLOADS})`, why: 'as their uploads' },
  telemetry_segments: { keep: 'removed_at IS NULL', why: 'removed ones are about to go' },
};

/** Every column that names an object, and the rows whose object must be there. */
export const OBJECT_OWNERS: { table: string; size: string; where: string }[] = [
  { table: 'files', size: 'size', where: `${STORED} AND deleted_at IS NULL` },
  // Removed segments too, while their row lasts: earlier versions read them.
  { table: 'segments', size: 'bytes', where: 'true' },
  { table: 'telemetry_segments', size: 'bytes', where: 'removed_at IS NULL' },
  { table: 'event_archives', size: 'bytes', where: 'true' },
  { table: 'event_sources', size: 'bytes', where: 'object_key IS NOT NULL' },
];

/** Filled by `migrate`, not by a restore. */
const MIGRATIONS = 'schema_migrations';

export interface CatalogueTable {
  name: string;
  /** Without generated ones, which cannot be written. */
  columns: string[];
}

interface ColumnRow {
  name: string;
  columns: string[];
}

/**
 * The tables of the catalogue in an order in which each comes after those that it refers to.
 * pg-boss has a schema of its own and is rebuilt.
 */
export async function catalogueTables(client: pg.ClientBase): Promise<CatalogueTable[]> {
  const tables = await client.query<ColumnRow>(
    `SELECT c.relname AS name, array_agg(a.attname::text ORDER BY a.attnum) AS columns
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
       AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND c.relname <> $1
     GROUP BY c.relname ORDER BY c.relname`,
    [MIGRATIONS],
  );
  const references = await client.query<{ from: string; to: string }>(
    `SELECT conrelid::regclass::text AS from, confrelid::regclass::text AS to FROM pg_constraint
     WHERE contype = 'f' AND connamespace = current_schema()::regnamespace AND conrelid <> confrelid`,
  );
  const needs = new Map<string, string[]>();
  for (const { from, to } of references.rows) needs.set(from, [...(needs.get(from) ?? []), to]);
  return inOrder(tables.rows, needs);
}

/** Depth first: a table after all that it needs. @throws on a circle */
export function inOrder<T extends { name: string }>(tables: T[], needs: Map<string, string[]>): T[] {
  const byName = new Map(tables.map((table) => [table.name, table]));
  const ordered: T[] = [];
  const done = new Set<string>();
  const place = (table: T, path: string[]): void => {
    if (done.has(table.name)) return;
    if (path.includes(table.name)) throw new Error(`tables refer to each other in a circle: ${path.join(' → ')}`);
    for (const name of needs.get(table.name) ?? []) {
      const needed = byName.get(name);
      if (needed) place(needed, [...path, table.name]);
    }
    done.add(table.name);
    ordered.push(table);
  };
  for (const table of tables) place(table, []);
  return ordered;
}

/** The tables of the catalogue that hold rows a restore would mix with; volatile ones may hold any. */
export async function occupiedTables(client: pg.ClientBase): Promise<string[]> {
  const occupied: string[] = [];
  for (const { name } of await catalogueTables(client)) {
    if (TABLE_RULES[name]?.keep === false) continue;
    const { rows } = await client.query(`SELECT EXISTS (SELECT FROM "${name}") AS any`);
    if (rows[0]?.any) occupied.push(name);
  }
  return occupied;
}
