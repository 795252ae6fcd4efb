/**
 * A query's own process: one in-memory DuckDB that is locked down before it runs anything of a user's.
 * Started by `pool.ts` with limits on memory, files, processor time; knows no secrets and no database.
 * argv: threads, memory limit, path of the FIFO.
 */
import { createWriteStream } from 'node:fs';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { closeWriter, readFifo } from '#platform/process/fifo.ts';
import { execute, TooManyRows } from './execute.ts';
import { parseFailure, toFailure } from './failure.ts';
import { inspect } from './gate.ts';
import { openLockedEngine } from './locked.ts';
import type { Failure, FromChild, RunRequest, ToChild } from './protocol.ts';

const [threads = '1', memory = '1GB', fifo = ''] = process.argv.slice(2);
const inner = `${fifo}.rows`;

const engine = await openLockedEngine({ threads, memory, fifos: [fifo, inner] });
await engine.connection.run('SELECT 1');
const out = new Socket({ fd: 3, readable: false, writable: true });
out.on('error', () => process.exit(1));

let query = '';
let accepted = '';
let trusted = false;
let streaming: Writable | undefined;

function send(message: FromChild): void {
  process.send?.(message);
}

/** The query's tree, and the query printed from it. One statement: each costs its way to DuckDB's thread and back. */
const PARSE = `
  SELECT tree, CASE WHEN NOT (tree->>'error')::BOOLEAN THEN json_deserialize_sql(tree) END
  FROM (SELECT json_serialize_sql($1::VARCHAR) AS tree)`;

/** Parses with the engine's own parser; what runs later is printed from the tree that was inspected. */
async function parse(text: string): Promise<void> {
  // A child that ran SQL of ours was never locked: it takes no user's query.
  if (trusted) process.exit(1);
  accepted = '';
  query = text;
  const [found] = (await engine.connection.runAndReadAll(PARSE, [text])).getRows();
  const tree = JSON.parse(String(found?.[0]));
  if (tree.error) return send({ type: 'failed', failure: parseFailure(tree, text) });
  const plan = inspect(tree);
  accepted = String(found?.[1]);
  send({ type: 'parsed', plan });
}

async function run(request: RunRequest): Promise<void> {
  if (request.sql !== undefined) trusted = true;
  const moved = request.sql === undefined && (await engine.show(request));
  const sql = request.sql ?? accepted;
  if (sql === '') throw new Error('run before parse');
  await execute(engine.connection, sql, request, {
    out,
    fifo,
    openFifo() {
      streaming = createWriteStream(fifo);
      return streaming;
    },
    inner,
    openInner: () => readFifo(inner),
    endInner: () => closeWriter(inner),
    started: (columns, truncated, bytes) =>
      send({ type: 'started', columns, truncated, ...(bytes === undefined ? {} : { bytes }) }),
  });
  send({ type: 'done' });
  // Where places move the next query wants another engine; it takes 20 ms that nobody waits for now.
  if (moved) await engine.reopen().catch(() => process.exit(1));
}

async function failureOf(error: unknown, request: RunRequest | undefined): Promise<Failure> {
  if (error instanceof TooManyRows) {
    return {
      code: 'sql_too_greedy',
      message: `The answer has more than ${request?.max_json_rows} rows, too many for JSON.`,
      hint: 'Give a limit, or ask for a streamed format: .csv, .ndjson, .parquet, .xlsx.',
    };
  }
  const failure = toFailure(error);
  if (failure.position === undefined || !request) return failure;
  const { position: _printed, ...rest } = failure;
  return request.sql === undefined ? { ...rest, ...(await positionInQuery()) } : rest;
}

/** Positions belong to the printed query; preparing the user's own text finds where it says so. */
async function positionInQuery(): Promise<{ position?: number }> {
  try {
    await engine.connection.prepare(query);
    return {};
  } catch (error) {
    const { position } = toFailure(error);
    return position === undefined ? {} : { position };
  }
}

/** Whoever reads the FIFO learns that nothing more comes, also where nothing ever was written. */
function hangUp(): void {
  streaming?.on('error', () => undefined).destroy();
  streaming = undefined;
  closeWriter(fifo);
}

let before: Promise<void> = Promise.resolve();

/** One message after another: what comes while an engine is opened waits for it, and has nothing to interrupt yet. */
function receive(message: ToChild): void {
  if (message.type !== 'interrupt') before = before.then(() => handle(message));
  else if (!engine.opening) engine.connection.interrupt();
}

async function handle(message: Exclude<ToChild, { type: 'interrupt' }>): Promise<void> {
  const request = message.type === 'run' ? message : undefined;
  try {
    await (message.type === 'parse' ? parse(message.query) : run(message));
  } catch (error) {
    const failure = await failureOf(error, request);
    hangUp();
    send({ type: 'failed', failure });
  }
}

process.on('message', (message) => receive(message as ToChild));
process.on('disconnect', () => process.exit(0));
send({ type: 'ready' });
