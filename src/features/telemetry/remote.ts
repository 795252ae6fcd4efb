import type { Series } from '#contract/metrics/series.ts';
import { type SeriesJson, seriesFromJson, seriesToJson } from '#contract/metrics/travel.ts';
import type { TelemetryReader } from './reader.ts';

/**
 * Questions between the gateway and the telemetry process: a method of `TelemetryReader` and its arguments as JSON;
 * bigint travels as `{"$ns": "…"}`. Both ends are ours and the path is internal, so the shapes are the reader's.
 */
export type Ask = keyof TelemetryReader;

export interface Question<A extends Ask = Ask> {
  ask: A;
  args: Parameters<TelemetryReader[A]>;
}

type Answer<A extends Ask> = Awaited<ReturnType<TelemetryReader[A]>>;

export const QUESTION_PATH = '/internal/telemetry/ask';

export function encodeQuestion<A extends Ask>(question: Question<A>): string {
  return JSON.stringify(question, (_, value) => (typeof value === 'bigint' ? { $ns: String(value) } : value));
}

export function decodeQuestion(text: string): Question {
  return JSON.parse(text, (_, value) =>
    typeof value?.$ns === 'string' && /^-?\d{1,20}$/.test(value.$ns) ? BigInt(value.$ns) : value,
  );
}

/** Every method of a reader that asks through `ask`. */
export function remoteReader(ask: (question: Question) => Promise<unknown>): TelemetryReader {
  const through =
    <A extends Ask>(name: A) =>
    async (...args: Parameters<TelemetryReader[A]>): Promise<Answer<A>> =>
      (await ask({ ask: name, args } as Question)) as Answer<A>;
  return {
    trace: through('trace'),
    traces: through('traces'),
    logs: through('logs'),
    logFacets: through('logFacets'),
    logHistogram: through('logHistogram'),
    logPatterns: through('logPatterns'),
    services: through('services'),
    operations: through('operations'),
    fleet: through('fleet'),
    touched: through('touched'),
    reports: through('reports'),
    async series(visible, requests) {
      const answers = (await ask({ ask: 'series', args: [visible, requests] })) as SeriesJson[][];
      return answers.map((series) => series.map(seriesFromJson));
    },
    metrics: through('metrics'),
    exemplars: through('exemplars'),
    flush: through('flush'),
  };
}

/** What goes back as JSON. @throws what the reader throws */
export async function answerQuestion(reader: TelemetryReader, { ask, args }: Question): Promise<unknown> {
  if (!Object.hasOwn(reader, ask)) throw new Error(`a gateway of another version asks for ${ask}`);
  const answer = await (reader[ask] as (...given: unknown[]) => Promise<unknown>)(...args);
  return ask === 'series' ? (answer as Series[][]).map((series) => series.map(seriesToJson)) : answer;
}
