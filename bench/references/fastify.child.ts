import { createHash } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import fastify from 'fastify';
import type { App } from '../../src/platform/http/app.ts';
import { tracePlugin } from '../../src/platform/observe/plugin.ts';
import { startTelemetry } from '../../src/platform/observe/sdk.ts';
import { answer } from '../harness/child.ts';

/** Fastify that answers fixed bytes from memory behind a token and a span per request, exported like Caudal's own. */
export interface Answering {
  path: string;
  token: string;
  headers: Record<string, string>;
  body: string;
  telemetry: { endpoint: string; secret: string };
}

answer<Answering, number>(async ({ path, token, headers, body, telemetry }) => {
  startTelemetry({
    service: 'bench-fastify',
    instance: 'bench',
    version: '0',
    environment: 'dev',
    endpoint: telemetry.endpoint,
    headers: { 'x-caudal-internal': telemetry.secret },
  });
  const app = fastify();
  const principals = new Map([[digest(token), { workspace_id: 'bench' }]]);
  tracePlugin(app as unknown as App);
  app.decorateRequest('principal', null);
  app.addHook('onRequest', async (request, reply) => {
    const bearer = /^bearer +(.*)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
    Object.assign(request, { principal: principals.get(digest(bearer)) ?? null });
    if (!request.principal) return reply.code(401).send();
  });
  const bytes = Buffer.from(body);
  app.get(path, (_request, reply) => reply.headers(headers).send(bytes));
  await app.listen({ host: '127.0.0.1', port: 0 });
  return (app.server.address() as AddressInfo).port;
});

function digest(token: string): string {
  return createHash('sha256').update(token).digest('base64');
}
