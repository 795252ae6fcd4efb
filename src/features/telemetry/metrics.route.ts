import { Type } from 'typebox';
import { EvaluationError } from '#contract/metrics/binary.ts';
import { evaluateRange, type Line, LOOKBACK_MS, loadSeries } from '#contract/metrics/evaluate.ts';
import { AGGREGATIONS, reachesOf } from '#contract/metrics/expression.ts';
import type { Principal } from '#contract/principal.ts';
import { MetricAnswer } from '#contract/telemetry.ts';
import { fail, invalid } from '#kernel/errors.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { expressionOf, parseQuery, stepsOf } from './metrics/question.ts';
import type { TelemetryReader } from './reader.ts';
import { rangeOf, Time, visibilityOf } from './request.ts';
import type { Visibility } from './store/segments.ts';

const HOUR_MS = 3_600_000;
const MOST_LINES = 1_000;
const Names = Type.Array(Type.String({ maxLength: 400 }), { maxItems: 20 });

const MetricQuery = Type.Object({
  query: Type.Optional(
    Type.String({ description: 'A part of PromQL, instead of the parameters below', maxLength: 5000 }),
  ),
  metric: Type.Optional(Type.String({ description: 'Name, as sent or as Prometheus has it', maxLength: 400 })),
  label: Type.Optional({ ...Names, description: '`name=value`, also `!=`, `=~`, `!~`; may be repeated' }),
  rate: Type.Optional(Type.String({ description: 'Per second over this window, e.g. 5m', maxLength: 20 })),
  increase: Type.Optional(Type.String({ description: 'Over this window, e.g. 1h', maxLength: 20 })),
  quantile: Type.Optional(Type.Number({ minimum: 0, maximum: 1, description: 'Of a histogram' })),
  aggregate: Type.Optional(Type.Enum(AGGREGATIONS)),
  group_by: Type.Optional(Type.String({ description: 'Labels with commas between', maxLength: 1000 })),
  from: Type.Optional(Time),
  to: Type.Optional(Time),
  step: Type.Optional(Type.String({ description: 'e.g. 15s; fitting to the range when missing', maxLength: 20 })),
  exemplars: Type.Optional(Type.Boolean({ description: 'Adds measurements with the span that they were made in' })),
});

/** What was measured: a list of metrics, or one question answered over time. */
export function metricRoutes({ reader }: { reader: Pick<TelemetryReader, 'series' | 'metrics' | 'exemplars'> }) {
  return async (app: App): Promise<void> => {
    app.get(
      '/telemetry/metrics',
      {
        config: { access: { scope: 'telemetry:read' } },
        schema: {
          tags: ['observability'],
          summary: 'Metrics: what there is, or series with rate, quantile, group by',
          querystring: MetricQuery,
          response: { 200: MetricAnswer },
        },
      },
      async (request) => {
        const { query, metric, label, group_by, from, to, step, exemplars, ...rest } = request.query;
        const visible = visibilityOf(principalOf(request));
        const range = rangeOf({ from, to });
        if (query === undefined && metric === undefined) {
          return { items: await reader.metrics(visible, range), next_cursor: null };
        }
        if (query !== undefined && metric !== undefined) throw invalid('query', 'Send query or metric, not both.');
        const names = group_by?.split(',').map((name) => name.trim()) ?? [];
        const text = query ?? expressionOf({ metric: metric ?? '', labels: label ?? [], group_by: names, ...rest });
        const asked = boundsOf(range);
        return answerQuery(reader, visible, text, stepsOf(asked, step), exemplars === true ? asked : undefined);
      },
    );
  };
}

/** One question in PromQL for one caller, for rooms that keep questions. */
export function metricAsker(reader: Pick<TelemetryReader, 'series' | 'exemplars'>) {
  return (principal: Principal, query: string, { step, ...range }: { from?: string; to?: string; step?: string }) =>
    answerQuery(reader, visibilityOf(principal), query, stepsOf(boundsOf(rangeOf(range)), step), undefined);
}

/** In epoch ms; the last hour where nothing is said. */
function boundsOf({ from_ns, to_ns }: ReturnType<typeof rangeOf>): { from: number; to: number } {
  const to = to_ns === undefined ? Date.now() : Number(to_ns / 1_000_000n);
  return { from: from_ns === undefined ? to - HOUR_MS : Number(from_ns / 1_000_000n), to };
}

async function answerQuery(
  reader: Pick<TelemetryReader, 'series' | 'exemplars'>,
  visible: Visibility,
  query: string,
  steps: { from: number; to: number; step: number },
  /** The whole range, and not only as far as steps divide it; none where nobody asks. */
  exemplars: { from: number; to: number } | undefined,
): Promise<MetricAnswer> {
  const expression = parseQuery(query);
  const select = (requests: Parameters<TelemetryReader['series']>[1]) => reader.series(visible, requests);
  const loaded = await loadSeries(expression, { ...steps, lookback: LOOKBACK_MS }, select);
  const { from, to, step } = steps;
  const answer: MetricAnswer = {
    query,
    from: new Date(from).toISOString(),
    to: new Date(to).toISOString(),
    step_ms: step,
    series: evaluated(() => evaluateRange(expression, steps, loaded)).map(lineWriter()),
  };
  if (!exemplars) return answer;
  const found = await Promise.all(
    reachesOf(expression).map(({ selector: { matchers } }) => reader.exemplars(visible, { matchers, ...exemplars })),
  );
  return { ...answer, exemplars: found.flat() };
}

/** @throws metric_query_invalid, metrics_too_many */
function evaluated(work: () => Line[]): Line[] {
  let lines: Line[];
  try {
    lines = work();
  } catch (error) {
    if (error instanceof EvaluationError) throw fail('metric_query_invalid', error.message);
    throw error;
  }
  if (lines.length > MOST_LINES) throw fail('metrics_too_many', `The answer has ${lines.length} series.`);
  return lines;
}

/** The lines of an answer share their moments. */
function lineWriter() {
  const written = new Map<number, string>();
  const timeOf = (time: number): string => {
    const text = written.get(time) ?? new Date(time).toISOString();
    written.set(time, text);
    return text;
  };
  return ({ labels, times, values }: Line) => ({
    labels: { ...labels },
    points: times.map((time, index) => {
      const value = values[index] as number;
      return { time: timeOf(time), value: Number.isFinite(value) ? value : null };
    }),
  });
}
