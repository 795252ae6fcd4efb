import { createHash } from 'node:crypto';
import { type FastifyInstance, fastify } from 'fastify';
import type { App } from '#platform/http/app.ts';

/** The OpenAPI document, generated from the schemas that validate, so it cannot be wrong; and its readable page. */
export async function serveReference(app: App): Promise<void> {
  const config = { access: 'public', unlimited: true, untraced: true, idempotent: false } as const;
  const hidden = { config, schema: { hide: true } };
  app.get('/openapi.json', hidden, async () => app.swagger());
  let pages: Promise<FastifyInstance> | undefined;
  app.get('/docs', hidden, (_request, reply) => reply.redirect('/docs/', 301));
  app.get('/docs/*', hidden, async (request, reply) => {
    pages ??= openPages();
    const answer = await (await pages).inject({ url: request.url });
    if (answer.statusCode !== 200) return reply.callNotFound();
    const type = String(answer.headers['content-type']);
    if (type.startsWith('text/html')) {
      const policy = String(reply.getHeader('Content-Security-Policy'));
      reply.header('Content-Security-Policy', `${policy}; script-src 'self' ${digestOfScript(answer.payload)}`);
    }
    return reply.header('Content-Type', type).send(answer.rawPayload);
  });
}

/** Loaded when somebody opens the page: it is a quarter of the time and 50 MB of what a gateway starts with. */
async function openPages(): Promise<FastifyInstance> {
  const { default: scalar } = await import('@scalar/fastify-api-reference');
  const pages = fastify();
  await pages.register(scalar, {
    routePrefix: '/docs',
    configuration: {
      url: '/openapi.json',
      pageTitle: 'API · Caudal',
      favicon: '/favicon.svg',
      withDefaultFonts: false,
      telemetry: false,
      showDeveloperTools: 'never',
      hideClientButton: true,
      agent: { disabled: true },
      mcp: { disabled: true },
    },
  });
  return pages;
}

const INLINE_SCRIPT = /<script type="text\/javascript">([\s\S]*?)<\/script>/;

/** The page starts itself by one inline script: its digest is let through, on this page and nothing else. */
function digestOfScript(page: string): string {
  const script = INLINE_SCRIPT.exec(page)?.[1] ?? '';
  return `'sha256-${createHash('sha256').update(script).digest('base64')}'`;
}
