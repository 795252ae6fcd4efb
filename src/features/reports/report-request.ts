import { invalid } from '#kernel/errors.ts';
import { isNumeric, type TypedName } from '#platform/lake/groups.ts';
import { columnNames, type RowsQuestion, readQuestion } from '#platform/lake/question.ts';
import type { DatasetSnapshot } from '#platform/lake/snapshot.ts';
import { LOCALES, type Locale } from './words.ts';

/** How the rows are shown beside their summary: one list in groups, a sheet per group, not at all. */
export const DETAILS = ['list', 'sheets', 'none'] as const;
export type Detail = (typeof DETAILS)[number];

export type ReportQuery = Readonly<Record<string, unknown>>;

export interface ReportRequest {
  question: RowsQuestion;
  by: TypedName[];
  totals: TypedName[];
  normalize: boolean;
  detail: Detail;
  limit: number | undefined;
  locale: Locale;
}

const KNOWN = ['group_by', 'totals', 'select', 'order', 'limit', 'detail', 'normalize', 'locale', 'version', 'async'];

/** @throws column_not_found, invalid_input */
export function readReport(query: ReportQuery, snapshot: DatasetSnapshot): ReportRequest {
  const unknown = Object.keys(query).find((name) => !KNOWN.includes(name) && !name.startsWith('where'));
  if (unknown !== undefined) {
    throw invalid(unknown.slice(0, 200), `There is no parameter "${unknown.slice(0, 100)}".`, 'unknown', HINT);
  }
  const question = readQuestion(query, snapshot);
  const by = columnNames(query['group_by'], 'group_by', snapshot);
  const grouped = new Set(by.map(({ name }) => name));
  return {
    question,
    by,
    totals: readTotals(query['totals'], snapshot).filter(({ name }) => !grouped.has(name)),
    normalize: query['normalize'] !== false,
    detail: (query['detail'] ?? 'list') as Detail,
    limit: query['limit'] as number | undefined,
    locale: LOCALES.find((locale) => locale === query['locale']) ?? 'en',
  };
}

const HINT = `A report takes ${KNOWN.join(', ')} and where[column]=value.`;
/** Numbers that are names: adding them up says nothing. */
const IDENTIFIER = /(^|_|[a-z](?=I))ids?$|^(code|zip|phone|year)$/i;

function readTotals(value: unknown, snapshot: DatasetSnapshot): TypedName[] {
  if (value === undefined) {
    return snapshot.columns
      .filter((column) => isNumeric(column) && !IDENTIFIER.test(column.name))
      .map(({ name, type }) => ({ name, type }));
  }
  const totals = columnNames(value, 'totals', snapshot);
  const text = totals.find((column) => !isNumeric(column));
  if (text) throw invalid('totals', `Column "${text.name}" holds ${text.type}: only numbers have totals.`);
  return totals;
}
