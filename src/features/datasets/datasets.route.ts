import { Type } from 'typebox';
import { DATASET_NAME, Dataset, DatasetColumn, DeclaredColumn, KeyColumns, OnConflict } from '#contract/datasets.ts';
import { FormSettings } from '#contract/forms.ts';
import { allows, type Principal } from '#contract/principal.ts';
import { type Db, transaction } from '#platform/db/db.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { actorOf, audit } from '#platform/http/audit.ts';
import { cursorId, PageOf, PageQuery, pageOf } from '#platform/http/paging.ts';
import { createDataset } from '#platform/lake/dataset-rows.ts';
import { currentTraceId } from '#platform/observe/tracing.ts';
import { DatasetPatch } from './change-schema.ts';
import { getDataset, listDatasets, patchDataset, removeDataset, toDataset } from './datasets.ts';
import { checkDeclaration, checkKey } from './declare.ts';
import { setForm } from './form-settings.ts';
import { ColumnProfile, columnProfiles } from './profile.ts';

export interface DatasetRouteDeps {
  db: Db;
}

export const DatasetParams = Type.Object({ name: Type.String() });

const NewDataset = Type.Object(
  {
    name: Type.String({ pattern: DATASET_NAME, description: 'Letters, digits, _ and -; at most 100' }),
    description: Type.Optional(Type.String({ maxLength: 10_000 })),
    columns: Type.Optional(
      Type.Array(DeclaredColumn, { minItems: 1, maxItems: 10_000, description: 'Absent: the schema is inferred' }),
    ),
    key: Type.Optional(KeyColumns),
    on_conflict: Type.Optional(OnConflict),
    form: Type.Optional(FormSettings),
  },
  { additionalProperties: false },
);

const ProfiledDataset = Type.Intersect([
  Type.Omit(Dataset, ['columns']),
  Type.Object({
    columns: Type.Array(Type.Intersect([DatasetColumn, Type.Object({ profile: Type.Optional(ColumnProfile) })])),
  }),
]);

/** Names that a token limited to some datasets may see; null: all. */
function visibleNames({ scopes }: Principal): string[] | null {
  if (allows(scopes, 'datasets:read')) return null;
  const prefix = 'datasets:read:';
  return scopes.filter((scope) => scope.startsWith(prefix)).map((scope) => scope.slice(prefix.length));
}

export function datasetRoutes({ db }: DatasetRouteDeps) {
  return (app: App): void => {
    const read = { access: { scope: 'datasets:read', named: 'name' } } as const;
    const write = { access: { scope: 'datasets:write', named: 'name' } } as const;
    const tags = ['datasets'];

    app.post(
      '/datasets',
      {
        config: { access: { scope: 'datasets:write' } },
        schema: { tags, summary: 'Make a dataset', body: NewDataset, response: { 201: Dataset } },
      },
      async (request, reply) => {
        const { workspace_id } = principalOf(request);
        const { name, description, columns, key, on_conflict, form } = request.body;
        if (columns) await checkDeclaration(columns);
        if (key || on_conflict) checkKey(key, columns);
        await transaction(db, async (tx) => {
          const trace_id = currentTraceId();
          const declared = columns ? { declared: columns } : {};
          const keyed = key ? { key: { columns: key, on_conflict: on_conflict ?? 'reject' } } : {};
          const { id } = await createDataset(tx, {
            workspace_id,
            name,
            description: description ?? null,
            trace_id,
            ...declared,
            ...keyed,
          });
          if (form) await setForm(tx, id, form);
          await audit(tx, { ...actorOf(request), action: 'dataset.created', target: id, detail: { name } });
        });
        const made = toDataset(await getDataset(db, workspace_id, name));
        return reply
          .status(201)
          .header('Location', `/datasets/${encodeURIComponent(name)}`)
          .send(made);
      },
    );

    app.get(
      '/datasets',
      {
        config: { access: { scope: 'datasets:read', some: true } },
        schema: {
          tags,
          summary: 'Datasets, newest first',
          querystring: Type.Object(PageQuery),
          response: { 200: PageOf(Dataset) },
        },
      },
      async (request) => {
        const principal = principalOf(request);
        const { limit = 50, cursor } = request.query;
        const filter = { after: cursorId(cursor), names: visibleNames(principal), limit: limit + 1 };
        return pageOf(await listDatasets(db, principal.workspace_id, filter), limit, toDataset);
      },
    );

    app.get(
      '/datasets/:name',
      {
        config: read,
        schema: {
          tags,
          summary: 'One dataset: columns, counts, profiles',
          params: DatasetParams,
          querystring: Type.Object({
            profile: Type.Optional(Type.Boolean({ description: 'Add `profile` to each column' })),
          }),
          response: { 200: ProfiledDataset },
        },
      },
      async (request) => {
        const { workspace_id } = principalOf(request);
        const dataset = toDataset(await getDataset(db, workspace_id, request.params.name));
        if (!request.query.profile) return dataset;
        const profiles = await columnProfiles(db, dataset);
        const columns = dataset.columns.map((column) => {
          const profile = profiles.get(column.name);
          return profile ? { ...column, profile } : column;
        });
        return { ...dataset, columns };
      },
    );

    app.patch(
      '/datasets/:name',
      {
        config: write,
        schema: {
          tags,
          summary: 'Describe it; rename, add or widen columns',
          params: DatasetParams,
          body: DatasetPatch,
          response: { 200: Dataset },
        },
      },
      async (request) => {
        const { workspace_id } = principalOf(request);
        const { name } = request.params;
        const { id } = await getDataset(db, workspace_id, name);
        if (request.body.add_columns) await checkDeclaration(request.body.add_columns, 'add_columns');
        await transaction(db, async (tx) => {
          await patchDataset(tx, id, request.body, currentTraceId());
          await audit(tx, { ...actorOf(request), action: 'dataset.changed', target: id, detail: { name } });
        });
        return toDataset(await getDataset(db, workspace_id, name));
      },
    );

    app.delete(
      '/datasets/:name',
      {
        config: write,
        schema: {
          tags,
          summary: 'Delete it with its rows, versions and quarantine; files stay',
          params: DatasetParams,
          response: { 204: Type.Null() },
        },
      },
      async (request, reply) => {
        const { name } = request.params;
        const { id } = await getDataset(db, principalOf(request).workspace_id, name);
        await transaction(db, async (tx) => {
          await removeDataset(tx, id);
          await audit(tx, { ...actorOf(request), action: 'dataset.deleted', target: id, detail: { name } });
        });
        return reply.status(204).send(null);
      },
    );
  };
}
