import { Type } from 'typebox';
import { LogFacets, LogHistogram, type LogLine, LogPage, LogPatterns } from '#contract/telemetry.ts';
import { invalid } from '#kernel/errors.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { openEventStream } from '#platform/http/sse.ts';
import { untraced } from '#platform/observe/tracing.ts';
import { parseNs } from './otlp/times.ts';
import type { LogFilter, TelemetryReader } from './reader.ts';
import { closedRange, LogFilterQuery, logFilterOf, Page, pageOf, stepOf, visibilityOf } from './request.ts';
import type { Visibility } from './store/segments.ts';

type Reader = Pick<TelemetryReader, 'logs' | 'logFacets' | 'logHistogram' | 'logPatterns'>;

const config = { access: { scope: 'telemetry:read' } } as const;
const tags = ['observability'];
const Filter = Type.Object(LogFilterQuery);

/** Log lines, what they have in common, and how they come in. Without `from` the views are of the last hour. */
export function logRoutes({ reader }: { reader: Reader }) {
  return async (app: App): Promise<void> => {
    app.get(
      '/telemetry/logs',
      {
        config,
        schema: {
          tags,
          summary: 'Search logs, newest first',
          querystring: Type.Object({ ...LogFilterQuery, ...Page }),
          response: { 200: LogPage },
        },
      },
      (request) => {
        const search = { ...logFilterOf(request.query), ...pageOf(request.query), limit: request.query.limit };
        return reader.logs(visibilityOf(principalOf(request)), search);
      },
    );
    app.get(
      '/telemetry/logs/facets',
      {
        config,
        schema: { tags, summary: 'How lines divide', querystring: Filter, response: { 200: LogFacets } },
      },
      (request) => reader.logFacets(visibilityOf(principalOf(request)), closed(request.query)),
    );
    app.get(
      '/telemetry/logs/histogram',
      {
        config,
        schema: {
          tags,
          summary: 'How many lines over time, by severity',
          querystring: Type.Object({
            ...LogFilterQuery,
            parts: Type.Integer({ minimum: 1, maximum: 1000, default: 60, description: 'At most so many steps' }),
          }),
          response: { 200: LogHistogram },
        },
      },
      (request) => {
        const { parts, ...query } = request.query;
        const filter = closed(query);
        return reader.logHistogram(visibilityOf(principalOf(request)), filter, stepOf(filter.range, parts));
      },
    );
    app.get(
      '/telemetry/logs/patterns',
      {
        config,
        schema: {
          tags,
          summary: 'Lines of the same statement together, most frequent first',
          querystring: Filter,
          response: { 200: LogPatterns },
        },
      },
      (request) => reader.logPatterns(visibilityOf(principalOf(request)), closed(request.query)),
    );
    app.get(
      '/telemetry/logs/tail',
      {
        config,
        schema: { tags, summary: 'Lines as they come in, as server-sent events', querystring: Filter },
      },
      async (request, reply) => {
        const visible = visibilityOf(principalOf(request));
        const filter = logFilterOf(request.query);
        if (filter.range.to_ns !== undefined) throw invalid('to', 'A tail has no end.');
        await follow(reader, visible, filter, openEventStream(reply));
      },
    );
  };
}

function closed(query: Parameters<typeof logFilterOf>[0]) {
  return { ...logFilterOf(query), range: closedRange(query) };
}

const LOOK_EVERY_MS = 1_000;
/** Lines of other processes come in batches, up to so much late; each is told once. */
const LATE_NS = 30_000_000_000n;
const MOST_A_LOOK = 1_000;

/** From now on (or `from`), oldest first within a look. Ends when the client goes. */
async function follow(
  reader: Reader,
  visible: Visibility,
  filter: LogFilter,
  stream: ReturnType<typeof openEventStream>,
): Promise<void> {
  let open = true;
  let wake: () => void = () => undefined;
  void stream.closed.then(() => {
    open = false;
    wake();
  });
  const begin = filter.range.from_ns ?? BigInt(Date.now()) * 1_000_000n;
  let newest = begin;
  let told = new Map<string, bigint>();
  try {
    while (open) {
      const since = newest - LATE_NS > begin ? newest - LATE_NS : begin;
      const search = { ...filter, range: { from_ns: since }, limit: MOST_A_LOOK };
      const { items } = await untraced(() => reader.logs(visible, search));
      for (const line of items.toReversed()) {
        const key = keyOf(line);
        if (told.has(key)) continue;
        const ns = parseNs(line.time) ?? newest;
        told.set(key, ns);
        if (ns > newest) newest = ns;
        stream.send('log', line);
      }
      told = new Map([...told].filter(([, ns]) => ns >= newest - LATE_NS));
      if (!open) break;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, LOOK_EVERY_MS);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  } catch {
    // The telemetry process went away in the middle; the client reconnects and sees for itself.
  } finally {
    stream.end();
  }
}

function keyOf({ time, service, instance, body, span_id, attributes }: LogLine): string {
  return JSON.stringify([time, service, instance, body, span_id, attributes]);
}
