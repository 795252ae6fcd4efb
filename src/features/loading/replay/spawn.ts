import { fileURLToPath } from 'node:url';
import { fail, isErrorCode } from '#kernel/errors.ts';
import { startNodeChild } from '#platform/process/node-child.ts';
import type { ReplayMessage, ReplayRequest } from './protocol.ts';

const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url));
/** Node's heap and DuckDB's buffers beside its own limit. */
const OVERHEAD_BYTES = 1_500_000_000;

type Done = Extract<ReplayMessage, { type: 'done' }>;

/**
 * Runs one replay in a process group of its own, without our environment, under limits where the system
 * has them; it is killed when the time is up or the signal comes.
 *
 * @throws sql_syntax, sql_refused, sql_error, reader_crashed, reader_timeout, reader_memory
 */
export async function runReplay(request: ReplayRequest, timeoutMs: number, signal: AbortSignal): Promise<Done> {
  signal.throwIfAborted();
  const data_bytes = request.memory_bytes + OVERHEAD_BYTES;
  const { process: child, ended, kill } = startNodeChild({ entry: CHILD, data_bytes, files: 256 });
  const { promise, resolve, reject } = Promise.withResolvers<Done>();
  child.once('message', (message: ReplayMessage) => {
    if (message.type === 'done') return resolve(message);
    const { code, message: text, hint } = message.error;
    reject(fail(isErrorCode(code) ? code : 'reader_crashed', text, hint ? { hint } : {}));
  });
  ended.then(() => reject(fail('reader_crashed', 'The process that ran the fix ended without an answer.')));
  const late = setTimeout(() => reject(fail('reader_timeout', 'The replay took too long.')), timeoutMs);
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  child.send(request, () => undefined);
  try {
    return await promise;
  } finally {
    clearTimeout(late);
    signal.removeEventListener('abort', abort);
    kill();
    await ended;
  }
}
