import { type Static, Type } from 'typebox';
import type { Column } from '#contract/columns.ts';
import { type Db, rows, sql } from '#platform/db/db.ts';
import { type ColumnDescription, describeProfile, mergeProfiles, type SegmentProfile } from '#platform/lake/profile.ts';
import type { SegmentColumn } from '#platform/lake/snapshot.ts';

const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Value = Nullable(Type.Union([Type.String(), Type.Number()]));

/** What is known about a column's values; `exact` says of each figure whether it is counted or estimated. */
export const ColumnProfile = Type.Object({
  nulls: Type.Integer(),
  distinct: Type.Integer(),
  min: Value,
  max: Value,
  quantiles: Nullable(Type.Record(Type.String(), Type.Number())),
  histogram: Nullable(Type.Array(Type.Object({ from: Type.Number(), to: Type.Number(), count: Type.Integer() }))),
  top: Type.Array(Type.Object({ value: Type.String(), count: Type.Integer() })),
  exact: Type.Record(Type.String(), Type.Boolean()),
});
export type ColumnProfile = Static<typeof ColumnProfile>;

interface ProfiledSegment {
  columns: SegmentColumn[];
  profile: SegmentProfile;
}

/** The profile of each column that has one, by name: merged over the live segments, whatever they called it. */
export async function columnProfiles(
  db: Db,
  dataset: { id: string; columns: Column[] },
): Promise<Map<string, ColumnProfile>> {
  const segments = await rows(
    db,
    sql<ProfiledSegment>`
      SELECT columns, profile FROM segments
      WHERE dataset_id = ${dataset.id} AND removed_version IS NULL AND jsonb_typeof(profile) = 'object'
      ORDER BY position`,
  );
  const names = new Map(dataset.columns.map((column) => [column.field_id, column.name]));
  const merged = mergeProfiles(segments.map((segment) => underPresentNames(segment, names)));
  const quantiles = new Map(merged.columns.map((column) => [column.name, column.quantiles]));
  return new Map(
    describeProfile(merged).columns.map((column) => {
      const values = merged.rows - column.nulls;
      return [column.name, describe(column, histogram(quantiles.get(column.name) ?? [], values))];
    }),
  );
}

function underPresentNames({ columns, profile }: ProfiledSegment, names: Map<number, string>): SegmentProfile {
  const renamed = profile.columns.flatMap((column, index) => {
    const name = names.get(columns[index]?.field_id ?? -1);
    return name === undefined ? [] : [{ ...column, name }];
  });
  return { ...profile, columns: renamed };
}

function describe(column: ColumnDescription, bars: ColumnProfile['histogram']): ColumnProfile {
  const { name: _name, type: _type, ...figures } = column;
  return { ...figures, histogram: bars };
}

const BARS = 20;

/**
 * Equi-depth points (each stands for an equal share of `values`) as bars of equal width; null without
 * points. Law (tested): the bars' counts add up to `values`.
 */
export function histogram(points: readonly number[], values: number): ColumnProfile['histogram'] {
  const [low, high] = [points[0], points.at(-1)];
  if (low === undefined || high === undefined || values === 0) return null;
  if (low === high) return [{ from: low, to: high, count: values }];
  const width = (high - low) / BARS;
  const counts = new Array<number>(BARS).fill(0);
  for (const point of points) {
    const bar = Math.min(BARS - 1, Math.floor((point - low) / width));
    counts[bar] = (counts[bar] ?? 0) + 1;
  }
  let before = 0;
  return counts.map((count, bar) => {
    const upTo = before + count;
    const share = Math.round((values * upTo) / points.length) - Math.round((values * before) / points.length);
    before = upTo;
    return { from: low + bar * width, to: bar === BARS - 1 ? high : low + (bar + 1) * width, count: share };
  });
}
