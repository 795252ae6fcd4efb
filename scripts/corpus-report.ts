import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createReaderPool } from '#features/loading/read/spawn.ts';
import { createLogger } from '#platform/observe/log.ts';
import { type Corpus, type CorpusRead, createCorpusRead } from './corpus/corpus.ts';

/**
 * Reads every file of the corpora as a worker would and compares it with its truth:
 * `node scripts/corpus-report.ts [corpus…] [--all]` (data in CAUDAL_SHARED_DATA, or ../shared/data).
 * Exit status 1 when something differs without a reason or a row is not accounted for.
 */
const CORPORA = new URL('./corpus/', import.meta.url);
const SUPPORT = new Set(['corpus.ts', 'rfc4180.ts']);

async function corpora(wanted: string[]): Promise<Corpus[]> {
  const files = (await readdir(CORPORA)).filter(
    (file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !SUPPORT.has(file),
  );
  const found: Corpus[] = [];
  for (const file of files.sort()) {
    const exported = Object.values((await import(new URL(file, CORPORA).href)) as Record<string, unknown>);
    for (const candidate of exported) if (isCorpus(candidate)) found.push(candidate);
  }
  return wanted.length === 0 ? found : found.filter((corpus) => wanted.includes(corpus.name));
}

function isCorpus(value: unknown): value is Corpus {
  return typeof value === 'object' && value !== null && 'run' in value && 'name' in value;
}

async function report(corpus: Corpus, folder: string, read: CorpusRead, all: boolean): Promise<boolean> {
  const results = await corpus.run(folder, read);
  const count = (verdict: string) => results.filter((result) => result.verdict === verdict).length;
  const unaccounted = results.reduce((sum, result) => sum + result.unaccounted, 0);
  print(
    `\n${corpus.name}: ${results.length} files, ${count('equal')} equal, ${count('documented')} documented, ${count('DIFFERENT')} DIFFERENT; unaccounted rows: ${unaccounted}`,
  );
  for (const { file, verdict, note, unaccounted: lost } of results) {
    if (verdict === 'equal' && lost === 0 && !all) continue;
    print(`  ${verdict.padEnd(10)} ${file}${note ? `  (${note})` : ''}${lost > 0 ? `  UNACCOUNTED ${lost}` : ''}`);
  }
  for (const line of (await corpus.summary?.(folder, read)) ?? []) print(`  ${line}`);
  return count('DIFFERENT') === 0 && unaccounted === 0;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

const args = process.argv.slice(2);
const data = resolve(process.env['CAUDAL_SHARED_DATA'] ?? join(import.meta.dirname, '../../shared/data'));
const log = createLogger({ level: 'warn', service: 'corpus-report', instance: String(process.pid) });
const pool = createReaderPool({ log, memory_bytes: 1e9 });
const { read, close } = await createCorpusRead(pool);
let good = true;
try {
  for (const corpus of await corpora(args.filter((arg) => !arg.startsWith('--')))) {
    const folder = join(data, corpus.name);
    if (!existsSync(folder)) print(`\n${corpus.name}: not here (${folder})`);
    else good = (await report(corpus, folder, read, args.includes('--all'))) && good;
  }
} finally {
  close();
  await pool.close();
}
process.exitCode = good ? 0 : 1;
