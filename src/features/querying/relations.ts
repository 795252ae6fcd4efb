import { basename, dirname } from 'node:path';
import { allows, type Principal, type Scope } from '#contract/principal.ts';
import { CaudalError, fail } from '#kernel/errors.ts';
import { type Db, rows, sql } from '#platform/db/db.ts';
import { type LocalSegments, openSegments } from '#platform/lake/local.ts';
import type { DatasetSnapshot } from '#platform/lake/snapshot.ts';
import { relationSql } from '#platform/lake/view.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import type { QueryPlan, TableName } from './sandbox/gate.ts';
import { placeOf } from './sandbox/outcome.ts';
import type { View } from './sandbox/protocol.ts';
import { writeSources } from './sources.ts';

/** A relation that another room offers to SQL (`telemetry.spans`): its SELECT and the files that reads. */
export interface ExtraRelation {
  schema: string;
  name: string;
  select_sql: string;
  paths: string[];
  /** Called when the query is over. */
  release(): Promise<void>;
}

/**
 * Relations of a schema (in lower case), those of `names` that exist and that this principal may see; called
 * once for a query that names the schema.
 */
export type ExtraRelations = (
  principal: Principal,
  schema: string,
  names: readonly string[],
) => Promise<ExtraRelation[]>;

/** Who may ask for another room's schema at all. */
const FOREIGN: Record<string, Scope> = { telemetry: 'telemetry:read' };

export interface RelationDeps {
  db: Db;
  objects: Pick<ObjectStore, 'local'>;
  snapshot(ref: { workspace_id: string; name: string }): Promise<DatasetSnapshot>;
  extraRelations: ExtraRelations;
  /** Existing directory for the files of one query. */
  directory: string;
}

/** The tables of a query, found and allowed, nothing opened yet. */
export interface Resolved {
  datasets: { view: string; snapshot: DatasetSnapshot }[];
  /** Where `sources` is to be seen. */
  sources: { schema: string; name: string }[];
  /** Tables of other rooms. */
  foreign: TableName[];
  query: string;
  /** Names the relations at their versions; undefined when the answer depends on more than those. */
  key: string | undefined;
}

export interface OpenRelations {
  views: View[];
  /** Those of the datasets' segments: other versions of them need no other lock (ADR 59). */
  directories: string[];
  /** Files that lie elsewhere. */
  paths: string[];
  release(): Promise<void>;
}

/** Always the sources' view, even where a dataset of that name hides the plain one. */
const OWN_SCHEMA = 'caudal';
const SOURCES = 'sources';

/**
 * Finds what the query's tables are: datasets by exact name, else by the one name that differs in case only
 * (SQL folds it); `sources`; other rooms' relations. @throws sql_error with the place of an unknown name
 */
export async function resolveRelations(
  deps: RelationDeps,
  principal: Principal,
  plan: QueryPlan,
  query: string,
): Promise<Resolved> {
  const resolved: Resolved = { datasets: [], sources: [], foreign: [], query, key: undefined };
  for (const table of plan.tables) {
    if (table.schema.toLowerCase() === OWN_SCHEMA && table.name.toLowerCase() === SOURCES) {
      resolved.sources.push({ schema: OWN_SCHEMA, name: SOURCES });
    } else if (table.schema !== '' && table.schema.toLowerCase() !== 'main') addForeign(principal, table, resolved);
    else await addDataset(deps, principal, table, query, resolved);
  }
  const keyed = plan.repeatable && resolved.foreign.length === 0 && resolved.sources.length === 0;
  if (keyed) resolved.key = keyOf(resolved);
  return resolved;
}

/** Views are called as the query calls them, so renaming a dataset shows another relation. */
function keyOf({ datasets }: Resolved): string {
  return datasets
    .map(({ view, snapshot }) => `${JSON.stringify(view)}=${snapshot.id}@${snapshot.version}`)
    .sort()
    .join(' ');
}

async function addDataset(
  deps: RelationDeps,
  principal: Principal,
  table: TableName,
  query: string,
  resolved: Resolved,
): Promise<void> {
  const snapshot = await findDataset(deps, principal, table, query);
  if (!snapshot) {
    resolved.sources.push({ schema: 'main', name: table.name });
    return;
  }
  const same = resolved.datasets.find(({ view }) => view.toLowerCase() === table.name.toLowerCase());
  if (same && same.snapshot.id !== snapshot.id) {
    throw unknown(
      table,
      query,
      `"${same.view}" and "${table.name}" are two datasets whose names SQL cannot tell apart.`,
    );
  }
  if (!same) resolved.datasets.push({ view: table.name, snapshot });
}

/** Undefined: the name means the sources. */
async function findDataset(
  deps: RelationDeps,
  principal: Principal,
  table: TableName,
  query: string,
): Promise<DatasetSnapshot | undefined> {
  const { workspace_id } = principal;
  const exact = await lookUp(deps, principal, table.name);
  if (exact) return exact;
  const alike = await rows(
    deps.db,
    sql<{ name: string }>`
      SELECT name FROM datasets
      WHERE workspace_id = ${workspace_id} AND deleted_at IS NULL AND lower(name) = lower(${table.name})`,
  );
  const visible = alike.filter(({ name }) => allows(principal.scopes, 'datasets:read', name));
  if (visible.length > 1)
    throw unknown(table, query, `Several datasets are called "${table.name}": write the name exactly.`);
  const found = visible[0] ? await lookUp(deps, principal, visible[0].name) : undefined;
  if (!found && table.name.toLowerCase() !== SOURCES) {
    throw unknown(table, query, `There is no dataset "${table.name.slice(0, 200)}".`);
  }
  return found;
}

async function lookUp(deps: RelationDeps, principal: Principal, name: string): Promise<DatasetSnapshot | undefined> {
  if (!allows(principal.scopes, 'datasets:read', name)) return undefined;
  try {
    return await deps.snapshot({ workspace_id: principal.workspace_id, name });
  } catch (error) {
    if (error instanceof CaudalError && error.code === 'dataset_not_found') return undefined;
    throw error;
  }
}

function addForeign(principal: Principal, table: TableName, resolved: Resolved): void {
  const scope = FOREIGN[table.schema.toLowerCase()];
  if (!scope || !allows(principal.scopes, scope)) throw noRelation(table, resolved.query);
  resolved.foreign.push(table);
}

function noRelation(table: TableName, query: string): CaudalError {
  return unknown(table, query, `There is no relation "${table.schema}.${table.name}".`.slice(0, 300));
}

async function openForeign(
  deps: RelationDeps,
  principal: Principal,
  { foreign, query }: Resolved,
): Promise<ExtraRelation[]> {
  const bySchema = Map.groupBy(foreign, ({ schema }) => schema.toLowerCase());
  const opened: ExtraRelation[] = [];
  try {
    for (const [schema, tables] of bySchema) {
      const names = tables.map(({ name }) => name.toLowerCase());
      opened.push(...(await deps.extraRelations(principal, schema, names)));
    }
    const offered = new Set(opened.map(({ schema, name }) => `${schema}.${name}`.toLowerCase()));
    const missing = foreign.find(({ schema, name }) => !offered.has(`${schema}.${name}`.toLowerCase()));
    if (missing) throw noRelation(missing, query);
    return opened;
  } catch (error) {
    await Promise.all(opened.map((each) => each.release()));
    throw error;
  }
}

function unknown(table: TableName, query: string, message: string): CaudalError {
  return fail('sql_error', message, {
    hint: 'Datasets are tables here, by name (quoted where it has other than letters, digits and _); GET /datasets lists them.',
    ...(table.position === undefined ? {} : { members: { ...placeOf(query, table.position) } }),
  });
}

/** Opens the files and writes the views. */
export async function openRelations(
  deps: RelationDeps,
  principal: Principal,
  resolved: Resolved,
): Promise<OpenRelations> {
  const held: (() => Promise<void>)[] = [];
  const release = async (): Promise<void> => {
    await Promise.all(held.splice(0).map((each) => each()));
  };
  try {
    const parts = [
      await openDatasets(deps, resolved, held),
      await openExtras(deps, principal, resolved, held),
      await openSources(deps, principal, resolved, held),
    ];
    return {
      views: parts.flatMap(({ views }) => views),
      directories: parts.flatMap(({ directories }) => directories),
      paths: parts.flatMap(({ paths }) => paths),
      release,
    };
  } catch (error) {
    await release();
    throw error;
  }
}

type Part = Omit<OpenRelations, 'release'>;
type Held = (() => Promise<void>)[];
const NOTHING: Part = { views: [], directories: [], paths: [] };

async function openDatasets(deps: RelationDeps, { datasets }: Resolved, held: Held): Promise<Part> {
  const live = datasets.map(({ snapshot: { id, segments } }) => ({
    id,
    segments: segments.filter(({ rows: count, deleted }) => count > deleted.length),
  }));
  const files = await openSegments(
    deps.objects,
    live.flatMap(({ segments }) => segments),
  );
  held.push(files.release);
  const views = datasets.map(({ view, snapshot }) => ({
    schema: 'main',
    name: view,
    sql: relationSql(snapshot, files.pathOf, { system: true }),
  }));
  return { views, ...placesOf(live, files.pathOf) };
}

/** A dataset's own directory (`segmentKey`) where its files lie in it, or else each of them. */
function placesOf(
  live: readonly Pick<DatasetSnapshot, 'id' | 'segments'>[],
  pathOf: LocalSegments['pathOf'],
): Omit<Part, 'views'> {
  const directories = new Set<string>();
  const paths: string[] = [];
  for (const { id, segments } of live) {
    for (const segment of segments) {
      const path = pathOf(segment);
      const directory = dirname(path);
      if (basename(directory) === id) directories.add(directory);
      else paths.push(path);
    }
  }
  return { directories: [...directories], paths };
}

async function openExtras(deps: RelationDeps, principal: Principal, resolved: Resolved, held: Held): Promise<Part> {
  if (resolved.foreign.length === 0) return NOTHING;
  const extras = await openForeign(deps, principal, resolved);
  held.push(...extras.map((each) => each.release));
  const views = extras.map(({ schema, name, select_sql }) => ({ schema, name, sql: select_sql }));
  return { views, directories: [], paths: extras.flatMap(({ paths }) => paths) };
}

async function openSources(deps: RelationDeps, principal: Principal, resolved: Resolved, held: Held): Promise<Part> {
  if (resolved.sources.length === 0) return NOTHING;
  const only = resolved.datasets.map(({ snapshot }) => snapshot.id);
  const written = await writeSources(deps, principal, only);
  held.push(written.remove);
  return {
    views: resolved.sources.map(({ schema, name }) => ({ schema, name, sql: written.select_sql })),
    directories: [],
    paths: written.paths,
  };
}
