import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import test from 'node:test';

const ROOT = resolve(import.meta.dirname, '../..');
const PAGES = globSync(['*.md', 'docs/**/*.md', 'deploy/**/*.md', 'examples/**/*.md'], { cwd: ROOT });
const LINK = /\[[^\]]*\]\(([^)\s]+)\)/g;

/** As GitHub makes anchors of headings. */
function anchors(page: string): Set<string> {
  const headings = [...page.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(' ', '-'),
  );
  const ids = [...page.matchAll(/<a id="([^"]+)">/g)].map(([, id = '']) => id);
  return new Set([...headings, ...ids]);
}

function broken(path: string): string[] {
  const page = readFileSync(join(ROOT, path), 'utf8');
  return [...page.matchAll(LINK)].flatMap(([, link = '']) => {
    if (/^[a-z]+:/.test(link)) return [];
    const [file = '', anchor] = link.split('#');
    const target = file === '' ? join(ROOT, path) : resolve(ROOT, dirname(path), file);
    if (!existsSync(target)) return [`${path}: ${link}`];
    if (anchor === undefined || !target.endsWith('.md')) return [];
    return anchors(readFileSync(target, 'utf8')).has(anchor) ? [] : [`${path}: ${link}`];
  });
}

test('every link from page to page leads somewhere', () => {
  assert.ok(PAGES.length > 10, `only ${PAGES.length} pages were found`);
  assert.deepEqual(PAGES.flatMap(broken), []);
});
