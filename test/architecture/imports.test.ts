import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import test from 'node:test';

const ROOT = resolve(import.meta.dirname, '../..');
const SRC = join(ROOT, 'src');
const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s[^;]*?from\s*'([^']+)'|import\(\s*'([^']+)'\s*\)|(?:^|\n)\s*import\s*'([^']+)'/g;

/** What each room may import; arrows point one way. `cli` and `main` are the front door. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  kernel: [],
  config: ['kernel'],
  contract: ['kernel'],
  platform: ['kernel', 'contract'],
  features: ['kernel', 'contract', 'platform'],
  roles: ['kernel', 'contract', 'platform', 'features', 'config'],
  cli: ['kernel', 'contract', 'platform', 'features', 'roles', 'config'],
  main: ['kernel', 'contract', 'platform', 'features', 'roles', 'config', 'cli'],
};

interface Edge {
  from: string;
  to: string;
}

function filesBelow(directory: string, extension: RegExp): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && extension.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes('node_modules') && !path.includes('/dist/'));
}

function target(file: string, specifier: string): string | undefined {
  if (specifier.startsWith('#')) {
    const path = specifier.slice(1);
    return join(SRC, path === 'config' ? 'config.ts' : path);
  }
  return specifier.startsWith('.') ? resolve(dirname(file), specifier) : undefined;
}

function edgesOf(files: string[]): Edge[] {
  return files.flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(IMPORT)].flatMap((match) => {
      const to = target(file, match[1] ?? match[2] ?? match[3] ?? '');
      return to?.startsWith(SRC) ? [{ from: file, to }] : [];
    }),
  );
}

function roomOf(file: string): string {
  const [first = ''] = relative(SRC, file).split('/');
  return first.replace(/\.ts$/, '');
}

const isTest = (file: string): boolean => /\.test\.tsx?$/.test(file);
const files = filesBelow(SRC, /\.ts$/).filter((file) => !isTest(file));
const edges = edgesOf(files);

test('the walk read the house', () => {
  assert.ok(files.length > 30, `only ${files.length} files were read`);
  assert.ok(edges.length > 60, `only ${edges.length} imports were found`);
});

test('imports point one way', () => {
  const wrong = edges.filter(({ from, to }) => {
    const [source, destination] = [roomOf(from), roomOf(to)];
    return source !== destination && !MAY_IMPORT[source]?.includes(destination);
  });
  assert.deepEqual(
    wrong.map(({ from, to }) => `${relative(ROOT, from)} → ${relative(ROOT, to)}`),
    [],
  );
});

test('features do not import each other', () => {
  const feature = (file: string): string | undefined =>
    roomOf(file) === 'features' ? relative(SRC, file).split('/')[1] : undefined;
  const wrong = edges.filter(({ from, to }) => {
    const [source, destination] = [feature(from), feature(to)];
    return source !== undefined && destination !== undefined && source !== destination;
  });
  assert.deepEqual(
    wrong.map(({ from, to }) => `${relative(ROOT, from)} → ${relative(ROOT, to)}`),
    [],
  );
});

test('there is no circle', () => {
  const next = Map.groupBy(edges, (edge) => edge.from);
  const state = new Map<string, 'open' | 'done'>();
  const circles: string[] = [];
  const visit = (file: string, path: string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      circles.push([...path.slice(path.indexOf(file)), file].map((each) => relative(SRC, each)).join(' → '));
      return;
    }
    state.set(file, 'open');
    for (const edge of next.get(file) ?? []) visit(edge.to, [...path, file]);
    state.set(file, 'done');
  };
  for (const file of files) visit(file, []);
  assert.deepEqual(circles, []);
});

test('the console imports the contract and nothing else of src', () => {
  const consoleFiles = filesBelow(join(ROOT, 'console'), /\.tsx?$/);
  const wrong = edgesOf(consoleFiles).filter(({ to }) => roomOf(to) !== 'contract' && roomOf(to) !== 'kernel');
  assert.deepEqual(
    wrong.map(({ from, to }) => `${relative(ROOT, from)} → ${relative(ROOT, to)}`),
    [],
  );
});
