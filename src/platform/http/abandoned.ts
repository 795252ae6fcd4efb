import type { FastifyReply, FastifyRequest } from 'fastify';

/** Aborts when the caller's connection closes before the answer was sent. */
export function abandoned(request: FastifyRequest, reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  const leave = (): void => {
    if (!reply.raw.writableFinished) controller.abort(new Error(`the caller of ${request.routeOptions.url} has gone`));
  };
  reply.raw.once('close', leave);
  return controller.signal;
}
