import { fileURLToPath } from 'node:url';
import { type CaudalError, fail, isErrorCode } from '#kernel/errors.ts';
import { createGate, GateFull } from '#kernel/gate.ts';
import type { Logger } from '#platform/observe/log.ts';
import { type NodeChild, startNodeChild } from '#platform/process/node-child.ts';
import type { EncodedImage, EncodeMessage, EncodeRequest } from './protocol.ts';

export interface ImagePoolOptions {
  log: Logger;
  /** Images that are decoded at a time. A photo of 12 million pixels takes about 150 MB, the largest 750. */
  slots: number;
  /** How long one may take, from the moment its child has it. */
  timeout_ms: number;
}

export interface ImagePool {
  /** @throws unsupported_image, image_too_large, image_damaged, image_busy; the signal's reason */
  encode(request: EncodeRequest, signal?: AbortSignal): Promise<EncodedImage>;
  close(): Promise<void>;
}

const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url));
/**
 * RLIMIT_DATA. Measured with 50 million pixels: PNG with alpha 725 MB (156 resident), progressive JPEG to be turned
 * 863 (329), interlaced PNG of 16 bits 996 (427), WebP with alpha 1,325 (743); an idle child reserves 600 (60).
 */
const DATA_BYTES = 1_600_000_000;
/** What one child may write: the picture that is kept. */
const FILE_BYTES = 100_000_000;
/** Photos come in bursts: the child that waits for the next one goes when none came for so long. */
const WARM_MS = 30_000;
const WAITING = 100;

/** One disposable process per image, in a group of its own, without our environment, under limits where the system has them. */
export function createImagePool({ log, slots, timeout_ms }: ImagePoolOptions): ImagePool {
  const gate = createGate(slots, WAITING);
  const living = new Set<NodeChild>();
  let warm: NodeChild | undefined;
  let cooling: NodeJS.Timeout | undefined;
  let closed = false;

  const begin = (): NodeChild => {
    const child = start();
    living.add(child);
    void child.ended.then(() => {
      living.delete(child);
      if (warm === child) warm = undefined;
    });
    return child;
  };
  const take = (): NodeChild => {
    const child = warm ?? begin();
    warm = undefined;
    return child;
  };
  const keepWarm = (): void => {
    if (closed) return;
    warm ??= begin();
    clearTimeout(cooling);
    cooling = setTimeout(() => warm?.kill(), WARM_MS).unref();
  };
  const run = async (request: EncodeRequest, signal?: AbortSignal): Promise<EncodedImage> => {
    signal?.throwIfAborted();
    const child = take();
    keepWarm();
    try {
      return await converse(child, request, timeout_ms, log, signal);
    } finally {
      child.kill();
      await child.ended;
    }
  };

  return {
    async encode(request, signal) {
      try {
        return await gate.run(() => run(request, signal));
      } catch (error) {
        if (!(error instanceof GateFull)) throw error;
        throw fail('image_busy', 'Too many images are being read at the moment.', { retry_after: 2 });
      }
    },
    async close() {
      closed = true;
      clearTimeout(cooling);
      const all = [...living];
      for (const child of all) child.kill();
      await Promise.all(all.map((child) => child.ended));
    },
  };
}

const start = (): NodeChild =>
  startNodeChild({
    entry: CHILD,
    heap_mb: 256,
    data_bytes: DATA_BYTES,
    files: 128,
    file_bytes: FILE_BYTES,
    cpu_seconds: 60,
  });

async function converse(
  child: NodeChild,
  request: EncodeRequest,
  timeout_ms: number,
  log: Logger,
  signal?: AbortSignal,
): Promise<EncodedImage> {
  const { promise, resolve, reject } = Promise.withResolvers<EncodedImage>();
  const seconds = Math.round(timeout_ms / 1000);
  const late = setTimeout(() => reject(damaged(`Reading it was stopped after ${seconds} s.`)), timeout_ms);
  const abort = (): void => reject(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  child.process.once('message', (message: EncodeMessage) => {
    if (message.type === 'done') return resolve(message.image);
    const { code, message: text, hint } = message.error;
    reject(fail(isErrorCode(code) ? code : 'image_damaged', text, hint ? { hint } : {}));
  });
  void child.ended.then((end) => {
    log.debug(end, 'image child ended');
    reject(damaged('The process that read it ended without an answer.'));
  });
  child.process.send(request, () => undefined);
  try {
    return await promise;
  } finally {
    clearTimeout(late);
    signal?.removeEventListener('abort', abort);
  }
}

function damaged(detail: string): CaudalError {
  return fail('image_damaged', `The image could not be read. ${detail}`, {
    hint: 'Check that it opens in another program, or take the photo again.',
  });
}
