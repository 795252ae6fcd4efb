import { noRows, type Rows } from '../schema.ts';
import type { OtlpRequest, OtlpSignal } from './decode.ts';
import { flattenLog } from './flatten-logs.ts';
import { flattenMetric } from './flatten-metrics.ts';
import { flattenSpan } from './flatten-spans.ts';
import type { InstrumentationScope, Resource } from './generated/otlp_pb.ts';
import { type Item, type Origin, originOf, type ResourceColumns, resourceColumns, type Sender } from './origin.ts';

export interface Flattened {
  rows: Rows;
  rejected: number;
  /** Why the first refused item was refused. */
  reason: string | null;
}

interface Group<T> {
  resource: Resource | undefined;
  schemaUrl: string;
  scopes: { scope: InstrumentationScope | undefined; schemaUrl: string; items: T[] }[];
}

/** Puts an item's rows where they belong. @returns why some were refused, one text for each */
type Add<T> = (item: T, origin: Origin) => string[];

/** An export as rows of the store, with the resources they came from. */
export function flatten(request: OtlpRequest<OtlpSignal>, sender: Sender, receivedNs: bigint): Flattened {
  const result: Flattened = { rows: noRows(), rejected: 0, reason: null };
  const { rows } = result;
  const each = <T>(groups: Group<T>[], add: Add<T>): void => {
    for (const group of groups) addGroup(group, add, result, sender, receivedNs);
  };
  if ('resourceSpans' in request) {
    const groups = request.resourceSpans.map(({ resource, schemaUrl, scopeSpans }) => ({
      resource,
      schemaUrl,
      scopes: scopeSpans.map(({ scope, schemaUrl: url, spans }) => ({ scope, schemaUrl: url, items: spans })),
    }));
    each(groups, into(flattenSpan, rows.spans));
  } else if ('resourceLogs' in request) {
    const groups = request.resourceLogs.map(({ resource, schemaUrl, scopeLogs }) => ({
      resource,
      schemaUrl,
      scopes: scopeLogs.map(({ scope, schemaUrl: url, logRecords }) => ({ scope, schemaUrl: url, items: logRecords })),
    }));
    each(groups, into(flattenLog, rows.logs));
  } else {
    const groups = request.resourceMetrics.map(({ resource, schemaUrl, scopeMetrics }) => ({
      resource,
      schemaUrl,
      scopes: scopeMetrics.map(({ scope, schemaUrl: url, metrics }) => ({ scope, schemaUrl: url, items: metrics })),
    }));
    each(groups, (metric, origin) => flattenMetric(metric, origin, rows));
    rows.series = once(rows.series);
  }
  return result;
}

function into<T, R>(read: (item: T, origin: Origin) => Item<R>, target: R[]): Add<T> {
  return (item, origin) => {
    const made = read(item, origin);
    if ('refused' in made) return [made.refused];
    target.push(made.row);
    return [];
  };
}

function once(series: Rows['series']): Rows['series'] {
  return [...new Map(series.map((row) => [row.series_id, row])).values()];
}

function addGroup<T>(group: Group<T>, add: Add<T>, result: Flattened, sender: Sender, receivedNs: bigint): void {
  const columns = resourceColumns(group.resource, group.schemaUrl, sender);
  const owners = new Set<string | null>();
  for (const { scope, schemaUrl, items } of group.scopes) {
    const origin = originOf(columns, scope, schemaUrl, sender, receivedNs, owners);
    for (const item of items) {
      const refused = add(item, origin);
      result.rejected += refused.length;
      result.reason ??= refused[0] ?? null;
    }
  }
  addResource(result.rows, columns, owners, receivedNs);
}

/** A resource, once for each workspace that owns rows of it. */
export function addResource(
  rows: Rows,
  columns: ResourceColumns,
  owners: ReadonlySet<string | null>,
  receivedNs: bigint,
): void {
  for (const workspace_id of owners) rows.resources.push({ workspace_id, seen_ns: receivedNs, ...columns });
}
