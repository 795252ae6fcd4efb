import type { LogEntry, LogFormat } from './entry.ts';
import { mask, maskQuery, SECRET_NAME } from './mask.ts';
import { plainEntry } from './text.ts';

/** Source: nginx, ngx_http_log_module, "combined"; `escape=default` writes `"` and `\` as \x22 and \x5C. */
const COMBINED =
  /^(\S+) \S+ (\S+) \[(\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "([^"]*)" (\d{3}) (\d+|-)(?: "([^"]*)" "([^"]*)")?/;
/** Local time: nginx writes no zone here. */
const ERROR = /^(\d{4})\/(\d\d)\/(\d\d) (\d\d:\d\d:\d\d) \[([a-z]+)\] (\d+)#(\d+): (.*)$/s;
const REQUEST = /^([A-Z]{1,20}) (\S+)(?: HTTP\/(\d(?:\.\d)?))?$/;

const LEVELS: Record<string, number> = {
  ...{ debug: 5, info: 9, notice: 10, warn: 13, error: 17, crit: 18, alert: 19, emerg: 21 },
};

function parse(line: string): LogEntry {
  if (line.startsWith('{')) return accessOfJson(line) ?? plainEntry(line);
  return accessOfCombined(line) ?? errorOf(line) ?? plainEntry(line);
}

/** One request, by the names of nginx's variables. */
interface Access {
  time: number | undefined;
  client: string | undefined;
  user: string | undefined;
  method: string | undefined;
  /** With its query. */
  target: string | undefined;
  protocol: string | undefined;
  status: number | undefined;
  size: number | undefined;
  referrer: string | undefined;
  agent: string | undefined;
}

function accessOfCombined(line: string): LogEntry | undefined {
  const [, client, user, time, request, status, size, referrer, agent] = COMBINED.exec(line) ?? [];
  if (time === undefined || request === undefined) return undefined;
  const [, method, target, protocol] = REQUEST.exec(request) ?? [];
  return entryOf({
    ...{ time: clfTime(time), client, method, target, protocol, status: Number(status) },
    ...{
      size: size === '-' ? undefined : Number(size),
      user: said(user),
      referrer: said(referrer),
      agent: said(agent),
    },
  });
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `04/May/2026:12:00:00 +0200` */
function clfTime(text: string): number | undefined {
  const [, day, month = '', year, clock, hours, minutes] =
    /^(\d\d)\/(\w{3})\/(\d{4}):(\S+) ([+-]\d\d)(\d\d)$/.exec(text) ?? [];
  const number = String(MONTHS.indexOf(month) + 1).padStart(2, '0');
  return timeOf(`${year}-${number}-${day}T${clock}${hours}:${minutes}`);
}

function timeOf(text: string): number | undefined {
  const time = Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}

/** nginx writes `-` for what is empty. */
function said(text: string | undefined): string | undefined {
  return text === undefined || text === '-' || text === '' ? undefined : text;
}

type Json = Record<string, unknown>;

/** Keys that an entry's fields are made of; further ones become attributes as they are. */
const KNOWN = new Set([
  ...['time', 'msec', 'time_iso8601', 'remote_addr', 'remote_user', 'request', 'request_method', 'request_uri', 'uri'],
  ...['args', 'server_protocol', 'status', 'body_bytes_sent', 'http_referer', 'http_user_agent', 'trace_id'],
  ...['traceparent', 'http_traceparent'],
]);
const NUMBER = /^-?\d{1,15}(\.\d{1,9})?$/;
const MOST_ATTRIBUTES = 64;
const LONGEST_KEY = 200;

/** JSON by `log_format … escape=json`: what deploy/nginx/caudal.conf writes, or other keys after nginx's variables. */
function accessOfJson(line: string): LogEntry | undefined {
  let object: Json;
  try {
    object = JSON.parse(line) as Json;
  } catch {
    return undefined;
  }
  const text = (...keys: string[]): string | undefined => {
    for (const key of keys) {
      const value = object[key];
      if (typeof value === 'string' || typeof value === 'number') {
        const found = said(String(value));
        if (found !== undefined) return found;
      }
    }
    return undefined;
  };
  const number = (...keys: string[]): number | undefined => {
    const found = text(...keys);
    return found !== undefined && NUMBER.test(found) ? Number(found) : undefined;
  };
  const [, method, target, protocol] = REQUEST.exec(text('request') ?? '') ?? [];
  const epoch = number('msec', 'time');
  const args = text('args');
  const uri = text('uri');
  const entry = entryOf({
    time: epoch === undefined ? timeOf(text('time_iso8601', 'time') ?? '') : epoch * 1000,
    ...{ client: text('remote_addr'), user: text('remote_user'), method: text('request_method') ?? method },
    target: text('request_uri') ?? target ?? (uri && args ? `${uri}?${args}` : uri),
    protocol: text('server_protocol')?.replace(/^HTTP\//, '') ?? protocol,
    ...{ status: number('status'), size: number('body_bytes_sent') },
    ...{ referrer: text('http_referer'), agent: text('http_user_agent') },
  });
  Object.assign(entry.attributes, further(object));
  return { ...entry, ...traceOf(text('trace_id'), text('traceparent', 'http_traceparent')) };
}

/** `caudal.*` says whose a record is and what became of things: not a log's to say. */
function further(object: Json): LogEntry['attributes'] {
  const attributes: LogEntry['attributes'] = {};
  const rest = Object.entries(object).filter(([key]) => !KNOWN.has(key) && !key.startsWith('caudal.'));
  for (const [key, value] of rest.slice(0, MOST_ATTRIBUTES)) {
    const name = key.slice(0, LONGEST_KEY);
    const text = typeof value === 'string' ? said(value) : undefined;
    if (text !== undefined) attributes[name] = SECRET_NAME.test(key) ? 'REDACTED' : mask(text);
    else if (typeof value === 'number' || typeof value === 'boolean') attributes[name] = value;
  }
  return attributes;
}

/** The trace that the answer named; the caller's span is its parent only when it is in that trace. */
function traceOf(answered: string | undefined, caller: string | undefined): { traceId?: string; spanId?: string } {
  const [, traceId, spanId] = /^00-([0-9a-f]{32})-([0-9a-f]{16})-/.exec(caller ?? '') ?? [];
  const own = /(?:^|, )([0-9a-f]{32})$/.exec(answered ?? '')?.[1] ?? traceId;
  if (own === undefined || /^0+$/.test(own)) return {};
  return { traceId: own, ...(own === traceId && spanId ? { spanId } : {}) };
}

/** A failure of ours is an error; what a caller did wrong is none, as for spans. */
function entryOf(access: Access): LogEntry {
  const { time, client, user, method, target, protocol, status, size, referrer, agent } = access;
  const [path, query] = split(target);
  const failed = status !== undefined && status >= 500;
  const values = {
    'client.address': client,
    'user.name': user,
    'http.request.method': method,
    'url.path': path === undefined ? undefined : mask(path),
    'url.query': query ? maskQuery(query) : undefined,
    'network.protocol.version': protocol,
    'http.response.status_code': status,
    'http.response.body.size': size,
    'http.request.header.referer': referrer === undefined ? undefined : [mask(referrer)],
    'user_agent.original': agent === undefined ? undefined : mask(agent),
  };
  const attributes = Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
  return {
    ...(time === undefined ? {} : { time }),
    severity: failed ? 17 : 9,
    severityText: failed ? 'error' : 'info',
    body: [method, values['url.path'], status].filter((part) => part !== undefined).join(' '),
    attributes,
  };
}

function split(target: string | undefined): [string | undefined, string | undefined] {
  const at = target?.indexOf('?') ?? -1;
  return at < 0 ? [target, undefined] : [target?.slice(0, at), target?.slice(at + 1)];
}

function errorOf(line: string): LogEntry | undefined {
  const [, year, month, day, clock, level = '', pid, thread, message] = ERROR.exec(line) ?? [];
  if (message === undefined) return undefined;
  const time = timeOf(`${year}-${month}-${day}T${clock}`);
  const client = /, client: ([^,\s]+)/.exec(message)?.[1];
  const [, method, target] = /, request: "([A-Z]{1,20}) (\S+)/.exec(message) ?? [];
  const [path] = split(target);
  return {
    ...(time === undefined ? {} : { time }),
    severity: LEVELS[level] ?? 0,
    severityText: level,
    body: mask(message),
    attributes: {
      'process.pid': Number(pid),
      'thread.id': Number(thread),
      ...(client ? { 'client.address': client } : {}),
      ...(method ? { 'http.request.method': method } : {}),
      ...(path ? { 'url.path': mask(path) } : {}),
    },
  };
}

export const NGINX: LogFormat = { service: () => 'nginx', continues: null, parse };
