import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { allows } from '#contract/principal.ts';
import { fail } from '#kernel/errors.ts';
import { PROMETHEUS_TEXT } from '#platform/observe/metrics/prometheus.ts';
import type { App } from './app.ts';

export type Scrape = () => Promise<string>;

/**
 * `GET /metrics` of the process that answers. Numbers of the whole installation are the operator's; a scraper on this
 * machine needs no token, unless the request came through a proxy, which would lend its address to anybody.
 */
export function registerMetrics(app: App, scrape: Scrape): void {
  app.get(
    '/metrics',
    {
      config: { access: 'public', untraced: true },
      schema: {
        tags: ['observability'],
        summary: 'This process for Prometheus: text, without a token from this machine, else for the operator',
        produces: ['text/plain'],
      },
      onRequest: admitScraper,
    },
    async (_request, reply) => reply.type(PROMETHEUS_TEXT).send(await scrape()),
  );
}

/** @throws unauthenticated */
export async function admitScraper(request: FastifyRequest): Promise<void> {
  if (!mayScrape(request)) throw fail('unauthenticated', 'Sign in as the operator, or send a token of theirs.');
}

function mayScrape({ principal, headers, raw }: FastifyRequest): boolean {
  if (principal?.operator && allows(principal.scopes, 'telemetry:read')) return true;
  const proxied = headers['x-forwarded-for'] !== undefined || headers['forwarded'] !== undefined;
  return !proxied && isLoopback(raw.socket.remoteAddress);
}

function isLoopback(address: string | undefined): boolean {
  return address === '::1' || /^(?:::ffff:)?127\./.test(address ?? '');
}

export interface MetricsServer {
  /** `host:port`. */
  address: string;
  close(): Promise<void>;
}

/**
 * A port of its own for each process: a worker has no other, and several gateways share theirs. It says nothing but
 * `/metrics` and `/livez`; who may reach it is decided by the address that it listens on.
 */
export async function startMetricsServer(
  where: { host: string; port: number },
  scrape: Scrape,
): Promise<MetricsServer> {
  const answers: Record<string, () => Promise<{ type: string; text: string }>> = {
    '/metrics': async () => ({ type: PROMETHEUS_TEXT, text: await scrape() }),
    '/livez': async () => ({ type: 'application/json; charset=utf-8', text: '{"status":"ok"}' }),
  };
  const server = createServer(async (request, response) => {
    const [path = ''] = (request.url ?? '').split('?', 1);
    const answer = request.method === 'GET' && Object.hasOwn(answers, path) ? answers[path] : undefined;
    const { type, text } = await (answer ?? nothing)().catch(() => ({ type: 'text/plain', text: '' }));
    response.writeHead(answer ? (text === '' ? 503 : 200) : 404, { 'content-type': type });
    response.end(text);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, resolve);
  });
  server.unref();
  const { address, port } = server.address() as AddressInfo;
  return {
    address: `${address === '0.0.0.0' || address === '::' ? where.host : address}:${port}`,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

async function nothing() {
  return { type: 'text/plain; charset=utf-8', text: 'not found\n' };
}
