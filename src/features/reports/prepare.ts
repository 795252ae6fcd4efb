import { conditionSql, whereSql } from '#platform/lake/conditions.ts';
import { type LocalSegments, openSegments } from '#platform/lake/local.ts';
import type { DatasetSnapshot } from '#platform/lake/snapshot.ts';
import { relation } from '#platform/lake/view.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import type { Facts, ReportQuestion } from './report-plan.ts';
import type { ReportRequest } from './report-request.ts';

/** Opens the segments and writes the plan over them; they are held until `release`. */
export async function prepareReport(
  objects: Pick<ObjectStore, 'local'>,
  snapshot: DatasetSnapshot,
  request: ReportRequest,
  facts: Omit<Facts, 'version' | 'committed_at' | 'filters'> & { most_rows: number },
): Promise<{ plan: ReportQuestion; release: LocalSegments['release'] }> {
  const { question, by, totals, normalize, detail, locale } = request;
  const { most_rows, ...rest } = facts;
  const filters = question.conditions.map(conditionSql);
  const files = await openSegments(
    objects,
    snapshot.segments.filter(({ rows }) => rows > 0),
  );
  const { sql, ordered } = relation(snapshot, files.pathOf, { position: true, system: question.system });
  return {
    release: files.release,
    plan: {
      ...{ dataset: snapshot.name, locale, detail },
      ...{ relation: sql, ordered },
      where: whereSql(filters),
      parameters: filters.flatMap(({ parameters }) => parameters),
      columns: question.columns,
      order: question.order,
      grouping: { by, measures: totals, normalize },
      limit: Math.min(request.limit ?? most_rows, most_rows),
      facts: {
        ...rest,
        version: snapshot.version,
        committed_at: snapshot.updated_at.toISOString(),
        filters: question.conditions.map(({ column, operator, value }) => `${column} ${operator} ${value}`),
      },
    },
  };
}
