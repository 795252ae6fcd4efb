import { isDeepStrictEqual } from 'node:util';
import type { Principal } from '#contract/principal.ts';
import { fail } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import { type Db, first, rows, sql, type Tx, uniqueViolation } from '#platform/db/db.ts';
import type { EndpointDefinition } from './endpoint-definition.ts';

export interface Endpoint {
  id: string;
  workspace_id: string;
  name: string;
  version: number;
  definition: EndpointDefinition;
  scopes: string[];
  user_id: string;
  author: string;
  created_at: Date;
}

const ENDPOINT = sql`e.id, e.workspace_id, e.name, v.version, v.definition, v.scopes, v.user_id, v.author, v.created_at`;

export function findEndpoint(
  db: Db,
  workspaceId: string,
  name: string,
  version?: number,
): Promise<Endpoint | undefined> {
  return first(
    db,
    sql<Endpoint>`
      SELECT ${ENDPOINT} FROM endpoints e JOIN endpoint_versions v ON v.endpoint_id = e.id
      WHERE e.workspace_id = ${workspaceId} AND e.name = ${name} AND v.version = coalesce(${version ?? null}::int, e.version)`,
  );
}

/** One that anybody may read, as it is now. */
export function findPublicEndpoint(db: Db, name: string): Promise<Endpoint | undefined> {
  return first(
    db,
    sql<Endpoint>`
      SELECT ${ENDPOINT} FROM endpoints e JOIN endpoint_versions v ON v.endpoint_id = e.id AND v.version = e.version
      WHERE e.public AND e.name = ${name}`,
  );
}

export function listEndpoints(db: Db, workspaceId: string): Promise<Endpoint[]> {
  return rows(
    db,
    sql<Endpoint>`
      SELECT ${ENDPOINT} FROM endpoints e JOIN endpoint_versions v ON v.endpoint_id = e.id AND v.version = e.version
      WHERE e.workspace_id = ${workspaceId} ORDER BY e.name`,
  );
}

export function endpointVersions(db: Db, workspaceId: string, name: string): Promise<Endpoint[]> {
  return rows(
    db,
    sql<Endpoint>`
      SELECT ${ENDPOINT} FROM endpoints e JOIN endpoint_versions v ON v.endpoint_id = e.id
      WHERE e.workspace_id = ${workspaceId} AND e.name = ${name} ORDER BY v.version DESC`,
  );
}

/** What the query may read: no more than its author. */
function readable(scopes: readonly string[]): string[] {
  if (scopes.includes('admin')) return ['datasets:read'];
  return scopes.filter((scope) => /^datasets:read(:|$)/.test(scope));
}

/** The next version, unless it says the same as the last. @throws endpoint_name_taken */
export async function saveEndpoint(
  tx: Tx,
  principal: Principal,
  name: string,
  definition: EndpointDefinition,
): Promise<{ created: boolean; changed: boolean }> {
  const { workspace_id, user_id, username } = principal;
  const scopes = readable(principal.scopes);
  const before = await findEndpoint(tx, workspace_id, name);
  if (before && isDeepStrictEqual(before.definition, definition) && isDeepStrictEqual(before.scopes, scopes)) {
    return { created: false, changed: false };
  }
  try {
    const saved = await first(
      tx,
      sql<{ id: string; version: number }>`
        INSERT INTO endpoints (id, workspace_id, name, public, version)
        VALUES (${newId()}, ${workspace_id}, ${name}, ${definition.public === true}, 1)
        ON CONFLICT (workspace_id, name) DO UPDATE
          SET version = endpoints.version + 1, public = excluded.public, updated_at = now()
        RETURNING id, version`,
    );
    await sql`
      INSERT INTO endpoint_versions (endpoint_id, version, definition, scopes, user_id, author)
      VALUES (${saved?.id}, ${saved?.version}, ${JSON.stringify(definition)}::jsonb, ${scopes}::text[], ${user_id}, ${username})`.execute(
      tx,
    );
  } catch (error) {
    if (uniqueViolation(error) === undefined) throw error;
    throw fail('endpoint_name_taken', `A public endpoint is called "${name}" already.`, {
      hint: 'Names of public endpoints are unique in the installation: choose another, or leave it private.',
      cause: error,
    });
  }
  return { created: before === undefined, changed: true };
}

export async function deleteEndpoint(tx: Tx, workspaceId: string, name: string): Promise<boolean> {
  const result = await sql`DELETE FROM endpoints WHERE workspace_id = ${workspaceId} AND name = ${name}`.execute(tx);
  return Number(result.numAffectedRows ?? 0) > 0;
}
