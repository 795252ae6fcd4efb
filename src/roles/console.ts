import { existsSync } from 'node:fs';
import fastifyStatic from '@fastify/static';
import type { App } from '#platform/http/app.ts';

/** The routes of console/src/router.tsx. */
const PAGES = ['/', '/data', '/data/*', '/trace/*', '/sql', '/videos', '/videos/*', '/reset-password', '/invitation'];
const YEAR_S = 31_536_000;

/** The built console: assets for a year (their names hold their digest), the page itself never from a cache. */
export async function serveConsole(app: App, directory: string): Promise<void> {
  if (!existsSync(directory)) {
    app.log.warn({ directory }, 'console: not built; only the API is served');
    return;
  }
  const config = { access: 'public', unlimited: true, untraced: true } as const;
  await app.register(async (scope) => {
    scope.addHook('onRoute', (route) => {
      route.config = { ...route.config, ...config };
      route.schema = { ...route.schema, hide: true };
    });
    await scope.register(fastifyStatic, {
      root: directory,
      index: false,
      wildcard: false,
      preCompressed: true,
      setHeaders(reply, path) {
        reply.header('Cache-Control', path.includes('/assets/') ? `public, max-age=${YEAR_S}, immutable` : 'no-cache');
      },
    });
    for (const page of PAGES) {
      scope.get(page, { config }, async (_request, reply) => reply.sendFile('index.html'));
    }
  });
}
