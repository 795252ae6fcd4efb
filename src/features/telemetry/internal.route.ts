import { fail } from '#kernel/errors.ts';
import type { App } from '#platform/http/app.ts';
import { isInternal } from './internal.ts';
import type { TelemetryReader } from './reader.ts';
import { answerQuestion, decodeQuestion, QUESTION_PATH } from './remote.ts';

export interface InternalRouteDeps {
  reader: TelemetryReader;
  internalSecret: string;
}

/** What the telemetry process answers to gateways; only processes of this installation may ask. */
export function internalTelemetryRoutes(deps: InternalRouteDeps) {
  return async (app: App): Promise<void> => {
    await app.register(async (scope) => {
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser('application/json', { parseAs: 'string' }, (_, body, done) => done(null, body));
      scope.post(
        QUESTION_PATH,
        {
          config: { access: 'signed', untraced: true, idempotent: false },
          schema: { hide: true },
          onRequest: async (request) => {
            if (!isInternal(request, deps.internalSecret)) throw fail('unauthenticated', 'Only Caudal itself may ask.');
          },
        },
        async (request, reply) => {
          const answer = await answerQuestion(deps.reader, decodeQuestion(String(request.body)));
          return reply.type('application/json').send(JSON.stringify(answer ?? null));
        },
      );
    });
  };
}
