import { UPTIME_SERIES } from '#contract/metrics/catalogue.ts';
import { type Labels, matches, NAME, type Series, type SeriesRequest } from '#contract/metrics/series.ts';
import { type Db, rows, sql } from '#platform/db/db.ts';
import { type Owner, ownedBy } from '#platform/db/owner.ts';

const MOST_RESULTS = 500_000;

interface Row {
  name: string;
  target: string;
  at: Date;
  up: boolean;
  latency_ms: number;
  certificate_days: number | null;
}

/** What the checks saw as series, from the catalogue: policies over them need no telemetry role. */
export async function uptimeSeries(db: Db, owner: Owner, request: SeriesRequest): Promise<Series[]> {
  const found = await rows(
    db,
    sql<Row>`
      SELECT c.name, c.target, r.at, r.up, r.latency_ms, r.certificate_days
      FROM uptime_results r JOIN uptime_checks c ON c.id = r.check_id
      WHERE ${ownedBy(owner, 'c.workspace_id')} AND c.enabled
        AND r.at >= ${new Date(request.from)} AND r.at <= ${new Date(request.to)} ORDER BY r.at LIMIT ${MOST_RESULTS}`,
  );
  const all = [...Map.groupBy(found, ({ name }) => name).values()].flatMap((results) => [
    seriesOf(UPTIME_SERIES.up, results, ({ up }) => (up ? 1 : 0)),
    seriesOf(UPTIME_SERIES.latency, results, ({ latency_ms }) => latency_ms / 1000),
    seriesOf(UPTIME_SERIES.days, results, ({ certificate_days }) => certificate_days),
  ]);
  return all.filter(({ labels, times }) => times.length > 0 && matches(labels, request.matchers));
}

function seriesOf(metric: string, results: readonly Row[], value: (row: Row) => number | null): Series {
  const labels: Labels = { [NAME]: metric, check: results[0]?.name ?? '', target: results.at(-1)?.target ?? '' };
  const known = results.flatMap((row) => {
    const found = value(row);
    return found === null ? [] : [[row.at.getTime(), found] as const];
  });
  return { labels, times: known.map(([at]) => at), values: known.map(([, found]) => found) };
}
