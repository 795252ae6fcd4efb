import type { IncomingMessage } from 'node:http';
import type { App } from './app.ts';

/** What is read away of a body that was refused, at most. */
const MOST_BYTES = 16 * 2 ** 20;
const MOST_MS = 2_000;

/**
 * A refusal that is sent before the body has arrived closes the connection, and a connection that is closed with unread
 * bytes is reset: a client that is still writing never reads why. So a body that is too large, but not enormous, is
 * heard out before the answer.
 */
export function hearBodiesOut(app: App): void {
  app.addHook('onSend', (request, reply, payload, done) => {
    if (reply.statusCode === 413 && !request.raw.complete) drain(request.raw, () => done(null, payload));
    else done(null, payload);
  });
}

function drain(body: IncomingMessage, done: () => void): void {
  let left = MOST_BYTES;
  const read = (chunk: Buffer): void => {
    left -= chunk.length;
    if (left < 0) end();
  };
  const end = (): void => {
    clearTimeout(timer);
    body.off('data', read).off('end', end).off('close', end).pause();
    done();
  };
  const timer = setTimeout(end, MOST_MS);
  body.on('data', read).once('end', end).once('close', end).resume();
}
