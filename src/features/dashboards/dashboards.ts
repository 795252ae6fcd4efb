import {
  DASHBOARD_VARIABLES,
  type Dashboard,
  type DashboardInput,
  type DashboardPatch,
  filledQuery,
  type Panel,
} from '#contract/dashboards.ts';
import { ExpressionError } from '#contract/metrics/lex.ts';
import { parseExpression } from '#contract/metrics/parse.ts';
import type { Principal } from '#contract/principal.ts';
import { CaudalError, fail } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import { type Db, sql, uniqueViolation } from '#platform/db/db.ts';
import { findVisible, listVisible, type Owner, ownerFor, scopeOf } from '#platform/db/owner.ts';
import { builtinDashboards } from './builtin.ts';

export interface DashboardRow {
  id: string;
  workspace_id: Owner;
  builtin: string | null;
  name: string;
  description: string;
  variables: Dashboard['variables'];
  panels: Panel[];
  created_at: Date;
  updated_at: Date;
}

export function listDashboards(
  db: Db,
  principal: Principal,
  after: string | null,
  limit: number,
): Promise<DashboardRow[]> {
  return listVisible(db, 'dashboards', principal, after, limit);
}

/** @throws dashboard_not_found */
export async function getDashboard(db: Db, principal: Principal, id: string): Promise<DashboardRow> {
  const found = await findVisible<DashboardRow>(db, 'dashboards', principal, id);
  if (!found) throw fail('dashboard_not_found', 'There is no such dashboard here.');
  return found;
}

export function toDashboard({ workspace_id, created_at, updated_at, ...row }: DashboardRow): Dashboard {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    scope: scopeOf(workspace_id),
    builtin: row.builtin,
    variables: row.variables,
    panels: row.panels,
    created_at: created_at.toISOString(),
    updated_at: updated_at.toISOString(),
  };
}

/** @throws invalid_input, already_taken, forbidden */
export async function createDashboard(db: Db, principal: Principal, input: DashboardInput): Promise<string> {
  checkQueries(input.panels);
  const id = newId();
  const { name, description = '', variables = [...DASHBOARD_VARIABLES], panels } = input;
  await unlessTaken(
    sql`
    INSERT INTO dashboards (id, workspace_id, name, description, variables, panels)
    VALUES (${id}, ${ownerFor(principal, input.scope)}, ${name}, ${description}, ${inOrder(variables)},
            ${JSON.stringify(panels)}::jsonb)`.execute(db),
  );
  return id;
}

/** What is left out stays. @throws as createDashboard */
export async function changeDashboard(db: Db, row: DashboardRow, patch: DashboardPatch): Promise<void> {
  checkQueries(patch.panels ?? []);
  const { name, description, variables, panels } = { ...row, ...patch };
  await unlessTaken(
    sql`
    UPDATE dashboards SET name = ${name}, description = ${description}, variables = ${inOrder(variables)},
      panels = ${JSON.stringify(panels)}::jsonb, edited = true, updated_at = now() WHERE id = ${row.id}`.execute(db),
  );
}

/** Each within the one before, however they were sent. */
const inOrder = (names: readonly string[]): string[] => DASHBOARD_VARIABLES.filter((name) => names.includes(name));

function checkQueries(panels: readonly Panel[]): void {
  for (const [index, { queries }] of panels.entries()) {
    for (const [number, { query }] of queries.entries()) {
      try {
        parseExpression(filledQuery(query, {}, '5m'));
      } catch (error) {
        if (!(error instanceof ExpressionError)) throw error;
        const field = `panels.${index}.queries.${number}.query`;
        throw new CaudalError('invalid_input', error.message, {
          errors: [{ field, code: 'expression', message: error.message }],
        });
      }
    }
  }
}

async function unlessTaken(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (uniqueViolation(error) === undefined) throw error;
    const message = 'A dashboard of that name exists.';
    throw fail('already_taken', message, { errors: [{ field: 'name', code: 'already_taken', message }] });
  }
}

/** Makes those that Caudal brings, and brings those that nobody edited to this version's. */
export async function seedDashboards(db: Db): Promise<void> {
  for (const [key, { name, description, panels }] of Object.entries(builtinDashboards())) {
    await sql`
      INSERT INTO dashboards (id, builtin, name, description, variables, panels)
      VALUES (${newId()}, ${key}, ${name}, ${description}, ${[...DASHBOARD_VARIABLES]}, ${JSON.stringify(panels)}::jsonb)
      ON CONFLICT (builtin) WHERE builtin IS NOT NULL DO UPDATE SET name = excluded.name,
        description = excluded.description, variables = excluded.variables, panels = excluded.panels
      WHERE NOT dashboards.edited`.execute(db);
  }
}
