import { Type } from 'typebox';
import type { App } from './app.ts';

export interface HealthCheck {
  name: string;
  /** Resolves when the dependency answers; what it throws is told to nobody but the log. */
  check(): Promise<unknown>;
}

export interface Health {
  /** From now on `/readyz` says 503: load balancers look elsewhere while this process drains. */
  drain(): void;
}

const CHECK_MS = 2_000;

const Report = Type.Object({
  status: Type.Enum(['ok', 'draining', 'unavailable']),
  checks: Type.Record(Type.String(), Type.Enum(['ok', 'failed'])),
});

/** `/livez`: the process turns over; `/readyz`: it and its dependencies can serve; `/healthz`: the same for people. */
export function registerHealth(app: App, checks: HealthCheck[]): Health {
  let draining = false;
  const config = { access: 'public', unlimited: true, untraced: true } as const;

  const report = async () => {
    const results = await Promise.all(checks.map(async ({ name, check }) => [name, await passes(check)] as const));
    const failed = results.some(([, ok]) => !ok);
    return {
      status: draining ? ('draining' as const) : failed ? ('unavailable' as const) : ('ok' as const),
      checks: Object.fromEntries(results.map(([name, ok]) => [name, ok ? ('ok' as const) : ('failed' as const)])),
    };
  };
  const schema = { tags: ['health'], response: { 200: Report, 503: Report } };

  app.get(
    '/livez',
    {
      config,
      schema: { tags: ['health'], summary: 'Alive', response: { 200: Type.Object({ status: Type.String() }) } },
    },
    async () => ({ status: 'ok' }),
  );
  for (const path of ['/readyz', '/healthz'] as const) {
    app.get(path, { config, schema: { ...schema, summary: 'Ready to serve' } }, async (_request, reply) => {
      const result = await report();
      if (result.status !== 'ok') reply.status(503).header('Retry-After', 2);
      return result;
    });
  }
  return {
    drain() {
      draining = true;
    },
  };
}

async function passes(check: () => Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, CHECK_MS, false);
  });
  try {
    return await Promise.race([check().then(() => true), late]);
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}
