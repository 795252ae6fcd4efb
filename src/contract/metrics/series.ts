/** Series and selectors as the metric store gives them and the evaluator reads them. */

export const NAME = '__name__';

/** Names and values; the metric's own name is `__name__`. */
export type Labels = Readonly<Record<string, string>>;

export interface Series {
  labels: Labels;
  /** Epoch ms, ascending, without repeats. */
  times: ArrayLike<number>;
  values: ArrayLike<number>;
  /** Positions of stale markers (OTLP: "no recorded value"): from there on the series is not, until its next sample. */
  stale?: ReadonlySet<number>;
}

export const MATCH_OPERATORS = ['=', '!=', '=~', '!~'] as const;
export type MatchOperator = (typeof MATCH_OPERATORS)[number];

export interface Matcher {
  label: string;
  op: MatchOperator;
  value: string;
}

/** What to read: every series that all matchers fit, its samples in `[from, to]` (epoch ms). */
export interface SeriesRequest {
  matchers: readonly Matcher[];
  from: number;
  to: number;
}

/** The store's side: one answer per request, in their order; a histogram's parts are `_bucket` (label `le`), `_sum`, `_count`. */
export type SelectSeries = (requests: readonly SeriesRequest[]) => Promise<Series[][]>;

/** A text that two equal label sets share and no others. */
export function labelKey(labels: Labels): string {
  const names = Object.keys(labels);
  if (names.length > 1) names.sort();
  let key = '';
  for (const name of names) key += `${name}\u0000${labels[name]}\u0001`;
  return key;
}

export function keepLabels(labels: Labels, names: readonly string[]): Labels {
  const kept: Record<string, string> = {};
  for (const name of names) if (labels[name] !== undefined && labels[name] !== '') kept[name] = labels[name];
  return kept;
}

export function dropLabels(labels: Labels, names: readonly string[]): Labels {
  const kept: Record<string, string> = {};
  for (const name in labels) if (!names.includes(name)) kept[name] = labels[name] as string;
  return kept;
}

const nameOnly = [NAME];
export const withoutName = (labels: Labels): Labels => (NAME in labels ? dropLabels(labels, nameOnly) : labels);

/** A label that is not there matches as the empty text, as in Prometheus. */
export function matches(labels: Labels, matchers: readonly Matcher[]): boolean {
  return matchers.every(({ label, op, value }) => {
    const have = labels[label] ?? '';
    if (op === '=') return have === value;
    if (op === '!=') return have !== value;
    return patternOf(value).test(have) === (op === '=~');
  });
}

const patterns = new Map<string, RegExp>();

function patternOf(source: string): RegExp {
  let pattern = patterns.get(source);
  if (!pattern) {
    if (patterns.size > 1000) patterns.clear();
    pattern = new RegExp(`^(?:${source})$`, 's');
    patterns.set(source, pattern);
  }
  return pattern;
}

const ATOM = String.raw`(?:[^\\()[\]{}*+?|^$]|\\[.\\()[\]{}*+?|^$dws-]|\[\^?[^\\[\]]+\])`;
const ALLOWED = new RegExp(`^(?:${ATOM}(?:[*+?])?|\\||\\((?:\\?:)?|\\)(?![*+?{]))*$`, 'u');
const MOST_REPEATS = 3;

/**
 * Patterns come from users and run in the evaluator: no back-references, look-arounds or repeated groups, and at most
 * three `*`/`+`, so that the worst case is polynomial over a short label. All of these mean the same in RE2.
 * @returns why it is refused, or undefined
 */
export function patternFault(source: string): string | undefined {
  if (source.length > 500) return 'is longer than 500 characters';
  if (!ALLOWED.test(source)) return 'uses what is not supported here (repeated groups, look-around, back-references)';
  const repeats = source.replaceAll(/\\.|\[[^\]]*\]/g, 'x').match(/[*+]/g)?.length ?? 0;
  if (repeats > MOST_REPEATS) return `repeats more than ${MOST_REPEATS} times`;
  try {
    new RegExp(`^(?:${source})$`, 's');
  } catch {
    return 'is not a regular expression';
  }
  return undefined;
}

/** The store's side over series in memory. */
export function seriesInMemory(all: readonly Series[]): SelectSeries {
  return async (requests) => requests.map(({ matchers }) => all.filter(({ labels }) => matches(labels, matchers)));
}
