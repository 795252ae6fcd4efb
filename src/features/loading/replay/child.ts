import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { CaudalError, fail, toStoredError } from '#kernel/errors.ts';
import { evaluate } from './evaluate.ts';
import type { ReplayMessage, ReplayRequest } from './protocol.ts';

/** The disposable process that runs a stranger's expressions: one request over IPC, one answer, then it ends. */
async function answer(request: ReplayRequest): Promise<ReplayMessage> {
  try {
    const instance = await DuckDBInstance.create(':memory:', {
      threads: String(request.threads),
      memory_limit: `${Math.floor(request.memory_bytes / 1e6)}MB`,
      temp_directory: join(request.out_dir, 'spill'),
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
      allow_community_extensions: 'false',
      allow_persistent_secrets: 'false',
    });
    return await evaluate(await instance.connect(), request);
  } catch (error) {
    return { type: 'failed', error: toStoredError(error instanceof CaudalError ? error : unexpected(error)) };
  }
}

function unexpected(error: unknown): CaudalError {
  const message = error instanceof Error ? error.message : String(error);
  if (/Out of Memory|bad_alloc/i.test(message)) {
    return fail('reader_memory', 'The replay needed more memory than it may use.', {
      hint: 'Replay fewer records at once.',
    });
  }
  return fail('reader_crashed', `The replay gave up: ${message.slice(0, 500)}`);
}

process.once('message', async (request: ReplayRequest) => {
  const message = await answer(request);
  process.send?.(message, () => process.disconnect?.());
});
process.once('disconnect', () => process.exit());
