import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { quoteLiteral } from '#contract/columns.ts';
import type { ReadMessage, ReadRequest, ReadTable } from '#contract/load.ts';
import { extensionOf } from '#contract/loadable.ts';
import type { ReaderOptions } from '#contract/reader-options.ts';
import { emptyTable } from './csv/empty.ts';
import { describe } from './describe.ts';
import { formatOf } from './format.ts';
import { openFile } from './open.ts';
import type { OpenedFile, ReadContext, Reader } from './reader.ts';

/**
 * The disposable process that touches hostile bytes: a request over IPC, answered by messages. It was started with
 * limits (see spawn.ts), knows no database and has no secrets. After a small text it may get another one; each has an
 * engine and a directory of its own, and what lasts is code.
 */
type Format = NonNullable<ReaderOptions['format']>;

const READERS: Record<Format, () => Promise<Reader>> = {
  csv: async () => (await import('./csv/csv.ts')).readCsv,
  tsv: async () => (await import('./csv/csv.ts')).readCsv,
  ndjson: async () => (await import('./json/ndjson.ts')).readNdjson,
  json: async () => (await import('./json/json.ts')).readJson,
  parquet: async () => (await import('./parquet/parquet.ts')).readParquet,
  xlsx: async () => (await import('./xlsx/xlsx.ts')).readXlsx,
};

function send(message: ReadMessage): void {
  process.send?.(message);
}

/** Of text only: native readers of binary formats have bugs of which nobody knows what they leave behind. */
const PLAIN: readonly Format[] = ['csv', 'tsv', 'ndjson', 'json'];
const SMALL_BYTES = 16e6;
/** A child that holds more than this would be more to keep than to start anew; a fresh one that has read has 150 MB. */
const MOST_RESIDENT = 300e6;

/** Stays alive when it is done: the parent, once it has every message, ends it or asks again. */
async function main(request: ReadRequest): Promise<void> {
  const instance = await engine;
  try {
    const plain = await read(request, await instance.connect());
    instance.closeSync();
    engine = openEngine();
    send({ type: 'done', reusable: plain && process.memoryUsage.rss() < MOST_RESIDENT });
  } catch (error) {
    send({ type: 'failed', error: describe(error) });
  }
}

/** @returns whether all of it was small text, not packed */
async function read(request: ReadRequest, connection: DuckDBConnection): Promise<boolean> {
  const begun = Date.now();
  let sniffing = { name: 'sniff' as const, start_ms: begun, end_ms: begun };
  const sniffed = () => {
    sniffing = { ...sniffing, end_ms: Date.now() };
  };
  const context = { ...(await prepare(request, connection)), sniffed };
  if ((await stat(request.path)).size === 0 && isText(request)) {
    send({ type: 'table', table: emptyTable() });
    return true;
  }
  const files = await openFile(request, context.temp_dir);
  const readable = files.length > 1 ? files.filter((file) => file.size > 0) : files;
  const unpacked = readable.reduce((sum, file) => sum + file.size, 0);
  const { size } = await stat(request.path);
  let plain = size < SMALL_BYTES;
  let before = 0;
  for (const file of readable) {
    const format = await formatOf(file, request.options);
    plain &&= PLAIN.includes(format) && file.compression === undefined && file.name === undefined;
    const reader = await READERS[format]();
    // Readers tell where they are in the unpacked file; people see how much of their own file that is.
    const done = before;
    const progress: ReadContext['progress'] = (bytes, rows) =>
      context.progress(Math.round(((done + bytes) / unpacked) * size), rows);
    sniffed();
    for (const table of await reader(file, { ...context, progress })) {
      send({ type: 'table', table: { ...named(table, file), timings: [sniffing] } });
    }
    sniffing = { ...sniffing, start_ms: Date.now(), end_ms: Date.now() };
    before += file.size;
  }
  return plain;
}

/** A text file of no bytes is a table without rows, as its owner would say; any other kind is damaged. */
function isText(request: ReadRequest): boolean {
  const format = request.options.format ?? extensionOf(request.filename);
  return ['csv', 'tsv', 'tab', 'psv', 'txt', 'dat', ''].includes(format);
}

/** Tables of an archive's entry carry the entry's name. */
function named(table: ReadTable, file: OpenedFile): ReadTable {
  const sniffed = {
    ...table.sniffed,
    ...(file.compression ? { compression: file.compression } : {}),
    ...(file.name === undefined ? {} : { entry: file.name }),
  };
  if (file.name === undefined) return { ...table, sniffed };
  const stem = file.filename.replace(/\.[^.]*$/, '') || file.name;
  return { ...table, sniffed, name: table.name === undefined ? stem : `${stem} ${table.name}` };
}

async function prepare(request: ReadRequest, connection: DuckDBConnection): Promise<Omit<ReadContext, 'sniffed'>> {
  const temp_dir = join(request.out_dir, 'temp');
  await mkdir(temp_dir, { recursive: true });
  const { memory_bytes, threads } = request.limits;
  await connection.run(`SET threads = ${Math.max(1, Math.floor(threads))}`);
  await connection.run(`SET memory_limit = '${Math.floor(memory_bytes / 1e6)}MB'`);
  await connection.run(`SET temp_directory = ${quoteLiteral(temp_dir)}`);
  const { size } = await stat(request.path);
  return {
    request,
    connection,
    temp_dir,
    progress: throttled((bytes, rows) => send({ type: 'progress', bytes, total_bytes: size, rows })),
  };
}

/** Chunks pass faster than anybody reads. */
function throttled(report: ReadContext['progress']): ReadContext['progress'] {
  let last = 0;
  return (bytes, rows) => {
    if (performance.now() - last < 100) return;
    last = performance.now();
    report(bytes, rows);
  };
}

/**
 * What a waiting child does ahead: loads its modules, opens DuckDB and lets the CSV sniffer run hot.
 * It makes the first file 150 ms of CPU cheaper, which is most of what a small file takes.
 */
async function warmUp(): Promise<DuckDBInstance> {
  const instance = await openEngine();
  const { rehearse } = await import('./csv/rehearse.ts');
  await rehearse(await instance.connect());
  return instance;
}

function openEngine(): Promise<DuckDBInstance> {
  return DuckDBInstance.create(':memory:', {
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
  });
}

let engine = warmUp();
process.on('message', (request: ReadRequest) => void main(request));
// The parent is gone: nobody will fetch the result, and DuckDB's threads must not outlive the purpose.
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
