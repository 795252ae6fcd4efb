import { Type } from 'typebox';
import { DatasetVersion, QuarantineItem, Source } from '#contract/datasets.ts';
import { fail } from '#kernel/errors.ts';
import { isUuid } from '#kernel/ids.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { cursorId, PageOf, PageQuery, pageOf } from '#platform/http/paging.ts';
import type { ListTools } from '#platform/lake/list-sources.ts';
import { DatasetParams } from './datasets.route.ts';
import {
  getDataset,
  listQuarantine,
  listSources,
  listVersions,
  toQuarantineItem,
  toSource,
  toVersion,
} from './datasets.ts';

const QuarantineQuery = Type.Object({
  ...PageQuery,
  state: Type.Optional(Type.Enum(['open', 'replayed', 'all'], { default: 'open' })),
  source_id: Type.Optional(Type.String()),
});

/** Where a dataset's rows came from, what it was before, and what did not fit. */
export function datasetHistoryRoutes(tools: ListTools) {
  const { db } = tools;
  return (app: App): void => {
    const config = { access: { scope: 'datasets:read', named: 'name' } } as const;
    const tags = ['datasets'];
    const params = DatasetParams;

    app.get(
      '/datasets/:name/sources',
      {
        config,
        schema: {
          tags,
          summary: 'Where the rows came from, with their account and trace; newest first',
          params,
          querystring: Type.Object({
            ...PageQuery,
            file_id: Type.Optional(Type.String()),
            id: Type.Optional(Type.String({ description: 'This source only: what `_source` of a row says' })),
          }),
          response: { 200: PageOf(Source) },
        },
      },
      async (request) => {
        const { id } = await getDataset(db, principalOf(request).workspace_id, request.params.name);
        const { limit = 50, cursor, file_id, id: source } = request.query;
        if ([file_id, source].some((each) => each !== undefined && !isUuid(each))) {
          return { items: [], next_cursor: null };
        }
        const filter = { after: cursorId(cursor), id: source ?? null, file_id: file_id ?? null, limit: limit + 1 };
        return pageOf(await listSources(tools, id, filter), limit, toSource);
      },
    );

    app.get(
      '/datasets/:name/versions',
      {
        config,
        schema: {
          tags,
          summary: 'Every commit, newest first',
          params,
          querystring: Type.Object(PageQuery),
          response: { 200: PageOf(DatasetVersion) },
        },
      },
      async (request) => {
        const { id } = await getDataset(db, principalOf(request).workspace_id, request.params.name);
        const { limit = 50, cursor } = request.query;
        const found = await listVersions(db, id, versionCursor(cursor), limit + 1);
        const last = found[limit - 1];
        return {
          items: found.slice(0, limit).map(toVersion),
          next_cursor: found.length > limit && last ? String(last.version) : null,
        };
      },
    );

    app.get(
      '/datasets/:name/quarantine',
      {
        config,
        schema: {
          tags,
          summary: 'Records that did not fit: line, column, reason, raw text',
          params,
          querystring: QuarantineQuery,
          response: { 200: PageOf(QuarantineItem) },
        },
      },
      async (request) => {
        const { id } = await getDataset(db, principalOf(request).workspace_id, request.params.name);
        const { limit = 50, cursor, state = 'open', source_id } = request.query;
        if (source_id !== undefined && !isUuid(source_id)) return { items: [], next_cursor: null };
        const filter = {
          after: cursorId(cursor),
          source_id: source_id ?? null,
          state: state === 'all' ? null : state,
          limit: limit + 1,
        };
        return pageOf(await listQuarantine(db, id, filter), limit, toQuarantineItem);
      },
    );
  };
}

/** Versions are listed by number. @throws bad_cursor */
function versionCursor(cursor: string | undefined): number | null {
  if (cursor === undefined || cursor === '') return null;
  if (!/^\d{1,15}$/.test(cursor)) throw fail('bad_cursor', 'The cursor is not one that a list of ours gave out.');
  return Number(cursor);
}
