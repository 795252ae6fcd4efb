import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { isUuid } from '#kernel/ids.ts';
import type { Sender } from './otlp/origin.ts';

/** Between Caudal's own processes: the installation's secret, and for whom a gateway forwards an export. */
export const INTERNAL_HEADER = 'x-caudal-internal';
export const WORKSPACE_HEADER = 'x-caudal-workspace';

export function isInternal(request: FastifyRequest, secret: string): boolean {
  const shown = request.headers[INTERNAL_HEADER];
  if (typeof shown !== 'string' || secret === '') return false;
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(shown), digest(secret));
}

export function headersOfSender(sender: Sender, secret: string): Record<string, string> {
  const own = { [INTERNAL_HEADER]: secret };
  return sender.kind === 'internal' ? own : { ...own, [WORKSPACE_HEADER]: sender.workspace_id };
}

/** Only for requests that are internal: elsewhere these headers mean nothing. */
export function senderOfHeaders(request: FastifyRequest): Sender {
  const workspace = request.headers[WORKSPACE_HEADER];
  if (typeof workspace === 'string' && isUuid(workspace)) return { kind: 'workspace', workspace_id: workspace };
  return { kind: 'internal' };
}
