/** The disposable process that decodes a stranger's image: one request over IPC, one answer, then it ends. */
import { CaudalError, fail, toStoredError } from '#kernel/errors.ts';
import { encodeImage } from './encode.ts';
import type { EncodeMessage, EncodeRequest } from './protocol.ts';

async function answer(request: EncodeRequest): Promise<EncodeMessage> {
  try {
    return { type: 'done', image: await encodeImage(request) };
  } catch (error) {
    const known = error instanceof CaudalError ? error : fail('image_damaged', 'The image could not be read.');
    return { type: 'failed', error: toStoredError(known) };
  }
}

process.once('message', async (request: EncodeRequest) => {
  const message = await answer(request);
  process.send?.(message, () => process.disconnect?.());
});
process.once('disconnect', () => process.exit());
