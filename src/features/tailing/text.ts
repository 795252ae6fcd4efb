import { basename } from 'node:path';
import type { LogEntry, LogFormat } from './entry.ts';
import { mask } from './mask.ts';

const TRACEPARENT = /\btraceparent=["']?00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}/;

/** A line of no format that is known. */
export function plainEntry(line: string): LogEntry {
  return { severity: 0, body: mask(line), attributes: {}, ...traceIn(line) };
}

/** Where somebody put a `traceparent` into the text, as sqlcommenter does. */
export function traceIn(text: string): { traceId?: string; spanId?: string } {
  const [, traceId, spanId] = TRACEPARENT.exec(text) ?? [];
  return traceId && spanId && !/^0+$/.test(traceId) ? { traceId, spanId } : {};
}

export const TEXT: LogFormat = {
  service: (path) => basename(path).replace(/\.(log|txt)$/, '') || 'unknown_service',
  continues: null,
  parse: plainEntry,
};
