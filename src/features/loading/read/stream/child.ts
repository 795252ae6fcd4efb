import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { quoteLiteral } from '#contract/columns.ts';
import type { StreamMessage, StreamRequest } from '#contract/load.ts';
import { describe } from '../describe.ts';
import { writeStream } from './write-stream.ts';

/**
 * As the reader of files a process without secrets, started with limits; unlike it, it serves one request after
 * another: a new process per drain is 150 ms of CPU, four times a second. What it holds between requests is
 * code; each request has a connection and a directory of its own. Whoever started it ends it.
 */
const instance = await DuckDBInstance.create(':memory:', {
  autoinstall_known_extensions: 'false',
  autoload_known_extensions: 'false',
  allow_community_extensions: 'false',
});

async function write(request: StreamRequest): Promise<StreamMessage> {
  const temp_dir = join(request.out_dir, 'temp');
  await mkdir(temp_dir, { recursive: true });
  const connection = await instance.connect();
  try {
    const { memory_bytes, threads } = request.limits;
    await connection.run(`SET threads = ${Math.max(1, Math.floor(threads))}`);
    await connection.run(`SET memory_limit = '${Math.floor(memory_bytes / 1e6)}MB'`);
    await connection.run(`SET temp_directory = ${quoteLiteral(temp_dir)}`);
    return { type: 'written', table: await writeStream(request, connection, temp_dir) };
  } catch (error) {
    return { type: 'failed', error: describe(error) };
  } finally {
    connection.closeSync();
  }
}

let last: Promise<unknown> = Promise.resolve();
process.on('message', (request: StreamRequest) => {
  last = last.then(async () => process.send?.(await write(request)));
});
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
