import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { App } from '#platform/http/app.ts';
import type { Assets } from './page.ts';

const FILES = { css: 'form.css', js: 'form.js' } as const;
const TYPES = { css: 'text/css; charset=utf-8', js: 'text/javascript; charset=utf-8' } as const;

/** The style and the script of the pages, under addresses that hold their digest; read once, 12 KB in all. */
export function serveAssets(app: App): Assets {
  const served = { css: '', js: '' };
  for (const kind of ['css', 'js'] as const) {
    const text = readFileSync(join(import.meta.dirname, 'assets', FILES[kind]));
    const digest = createHash('sha256').update(text).digest('base64url').slice(0, 12);
    served[kind] = `/forms/assets/${digest}/${FILES[kind]}`;
    app.get(
      served[kind],
      { config: { access: 'public', unlimited: true, untraced: true }, schema: { hide: true } },
      async (_request, reply) =>
        reply.type(TYPES[kind]).header('Cache-Control', 'public, max-age=31536000, immutable').send(text),
    );
  }
  return served;
}
