import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, gzip } from 'node:zlib';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

/** The gateway in development; `make dev` starts both. */
const gateway = process.env['CAUDAL_URL'] ?? 'http://127.0.0.1:5050';
const API = [
  '/auth',
  '/uploads',
  '/files',
  '/objects',
  '/datasets',
  '/sql',
  '/tasks',
  '/telemetry',
  '/v1',
  '/instances',
  '/invitations',
  '/workspaces',
  '/tokens',
  '/docs',
  '/openapi.json',
];

/** `/sql` is a page to a browser that navigates and a call to everything else. */
function isPage({
  method,
  headers,
  url,
}: {
  method?: string | undefined;
  headers: { accept?: string | undefined };
  url?: string | undefined;
}) {
  return method === 'GET' && url?.split('?')[0] === '/sql' && headers.accept?.includes('text/html');
}

const ENCODINGS = [
  ['br', promisify(brotliCompress)],
  ['gz', promisify(gzip)],
] as const;

/** Once at build, so that the gateway only hands out files: 260 KB of styles are 30 KB on the way. */
function compressed(): Plugin {
  return {
    name: 'compressed',
    apply: 'build',
    async writeBundle({ dir }) {
      const assets = join(dir ?? 'dist', 'assets');
      const names = (await readdir(assets)).filter((name) => /\.(js|css)$/.test(name));
      await Promise.all(
        names.map(async (name) => {
          const bytes = await readFile(join(assets, name));
          for (const [suffix, compress] of ENCODINGS) {
            await writeFile(join(assets, `${name}.${suffix}`), await compress(bytes));
          }
        }),
      );
    },
  };
}

export default defineConfig({
  plugins: [react(), compressed()],
  base: '/',
  build: {
    target: 'es2022',
    // Styles and scripts are files of their own: the page's CSP allows nothing inline.
    assetsInlineLimit: 0,
    rolldownOptions: {
      output: {
        // What changes seldom stays in the browser's cache over releases.
        codeSplitting: {
          groups: [{ name: 'react', test: /node_modules\/(react|react-dom|scheduler)\// }],
        },
      },
    },
  },
  server: {
    proxy: Object.fromEntries(
      API.map((path) => [
        path,
        { target: gateway, bypass: (request) => (isPage(request) ? '/index.html' : undefined) },
      ]),
    ),
  },
});
