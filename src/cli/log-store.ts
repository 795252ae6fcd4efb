import { setTimeout as delay } from 'node:timers/promises';
import type { LogLine } from '#contract/telemetry.ts';
import { backoffDelay } from '#kernel/backoff.ts';
import { bodyOf, type Client, Refused } from './client.ts';
import { type Context, EXIT } from './command.ts';
import { serverSentEvents } from './follow.ts';
import { LEVELS, type ShownLine, showLine } from './log-shown.ts';
import type { List } from './show.ts';

type Query = Record<string, string | undefined>;

const ROLES = ['api', 'worker', 'telemetry', 'cli', 'browser'];
/** A page of the store. */
const MOST = 1_000;
/** How often the tail may break in a row before we give up. */
const MOST_BREAKS = 20;

/** Lines of the telemetry store: of all machines and of any program that sends its logs here. */
export async function showStoredLogs(context: Context, client: Client, count: number): Promise<number> {
  const query = queryOf(context);
  const told = new Set<string>();
  let newest = query['from'];
  const show = (line: LogLine): void => {
    const key = JSON.stringify(line);
    if (told.has(key)) return;
    told.add(key);
    if (told.size > 2 * MOST) told.delete(told.values().next().value as string);
    if (newest === undefined || line.time > newest) newest = line.time;
    if (context.flag('json')) context.terminal.line(key);
    else showLine(context.terminal, line.service, shownOf(line));
  };
  const begun = new Date().toISOString();
  if (count > 0) {
    const { items } = await client.get<List<LogLine>>('telemetry/logs', { ...query, limit: Math.min(count, MOST) });
    for (const line of items.toReversed()) show(line);
  }
  if (context.flag('follow')) await follow(context, client, () => ({ ...query, from: newest ?? begun }), show);
  return EXIT.ok;
}

/** Until Ctrl-C. Where the stream breaks it goes on from the newest line. */
async function follow(
  { signal }: Context,
  client: Client,
  query: () => Query,
  show: (line: LogLine) => void,
): Promise<void> {
  for (let breaks = 0; !signal.aborted; breaks += 1) {
    try {
      const headers = { accept: 'text/event-stream' };
      const response = await client.call('telemetry/logs/tail', { query: query(), headers });
      for await (const { data } of serverSentEvents(await bodyOf(response))) {
        breaks = 0;
        show(JSON.parse(data) as LogLine);
      }
    } catch (error) {
      if (signal.aborted) return;
      const passing = error instanceof Refused ? error.status >= 500 : !(error instanceof SyntaxError);
      if (!passing || breaks >= MOST_BREAKS) throw error;
    }
    await delay(backoffDelay(Math.min(breaks, 5), { base: 100, cap: 2_000 }), undefined, { signal }).catch(
      () => undefined,
    );
  }
}

function queryOf({ args: [name], text }: Context): Query {
  const level = text('level');
  return {
    service: name !== undefined && ROLES.includes(name) ? `caudal-${name}` : name,
    system: text('system'),
    instance: text('instance'),
    query: text('query'),
    trace_id: text('trace'),
    from: text('since'),
    severity: level === undefined ? undefined : LEVELS.slice(LEVELS.indexOf(level)).join(','),
  };
}

function shownOf({ time, severity, body, trace_id, instance, attributes }: LogLine): ShownLine {
  const rest = { ...(attributes as Record<string, unknown>), instance, ...(trace_id ? { trace_id } : {}) };
  return { time, level: severity ?? '', message: body, rest };
}
