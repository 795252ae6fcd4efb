import type { Labels, Series } from './series.ts';

/** Series as JSON: what JSON has no number for is text, stale markers are a list. */
export interface SeriesJson {
  labels: Labels;
  times: number[];
  values: (number | string)[];
  stale?: number[];
}

export function seriesToJson({ labels, times, values, stale }: Series): SeriesJson {
  return {
    labels,
    times: Array.from(times),
    values: Array.from(values, (value) => (Number.isFinite(value) ? value : String(value))),
    ...(stale ? { stale: [...stale] } : {}),
  };
}

export function seriesFromJson({ labels, times, values, stale }: SeriesJson): Series {
  return { labels, times, values: values.map(Number), ...(stale ? { stale: new Set(stale) } : {}) };
}
