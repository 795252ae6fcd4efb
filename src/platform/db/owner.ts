import type { RawBuilder } from 'kysely';
import type { Principal } from '#contract/principal.ts';
import { fail } from '#kernel/errors.ts';
import { isUuid } from '#kernel/ids.ts';
import { type Db, first, rows, sql } from './db.ts';

/** Whose a policy, incident, channel or silence is: a workspace's, or (null) the installation's, which is the operator's. */
export type Owner = string | null;
export type Scope = 'workspace' | 'installation';

/** @throws forbidden when somebody but the operator asks for the installation */
export function ownerFor(principal: Principal, scope: Scope = 'workspace'): Owner {
  if (scope === 'workspace') return principal.workspace_id;
  if (principal.operator) return null;
  throw fail('forbidden', 'The installation’s own are the operator’s.');
}

export const scopeOf = (owner: Owner): Scope => (owner === null ? 'installation' : 'workspace');

/** What the caller may see: their workspace's, and the installation's for the operator. */
export function visibleTo(principal: Principal, column = 'workspace_id') {
  const owner = sql.ref(column);
  return sql<boolean>`(${owner} = ${principal.workspace_id} OR (${principal.operator} AND ${owner} IS NULL))`;
}

/** Exactly this owner's. */
export function ownedBy(owner: Owner, column = 'workspace_id') {
  return sql<boolean>`${sql.ref(column)} IS NOT DISTINCT FROM ${owner}::uuid`;
}

/** A table, or a query over one that gives `id` and `workspace_id`. */
type Owned = 'dashboards' | 'slos' | 'silences' | RawBuilder<unknown>;

const itemsOf = (owned: Owned) => sql`${typeof owned === 'string' ? sql.table(owned) : sql`(${owned})`} AS items`;

/** A page of those that the caller may see, newest first, after the id of the last one of the page before. */
export function listVisible<Row>(
  db: Db,
  owned: Owned,
  principal: Principal,
  after: string | null,
  limit: number,
): Promise<Row[]> {
  return rows(
    db,
    sql<Row>`SELECT * FROM ${itemsOf(owned)} WHERE ${visibleTo(principal)} AND (${after}::uuid IS NULL OR id < ${after})
      ORDER BY id DESC LIMIT ${limit}`,
  );
}

/** One that the caller may see; undefined also for what is no id. */
export async function findVisible<Row>(
  db: Db,
  owned: Owned,
  principal: Principal,
  id: string,
): Promise<Row | undefined> {
  if (!isUuid(id)) return undefined;
  return first(db, sql<Row>`SELECT * FROM ${itemsOf(owned)} WHERE id = ${id} AND ${visibleTo(principal)}`);
}

/** Removes one that the caller may see. @returns whether there was one */
export async function removeVisible(
  db: Db,
  table: 'channels' | 'silences' | 'policies',
  id: string,
  principal: Principal,
) {
  const removed = await sql<{ id: string }>`
    DELETE FROM ${sql.table(table)} WHERE id = ${id} AND ${visibleTo(principal)} RETURNING id`.execute(db);
  return removed.rows.length > 0;
}
