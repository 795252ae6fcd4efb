import { after } from 'node:test';
import pino from 'pino';
import { type Principal, ROLE_SCOPES } from '#contract/principal.ts';
import { fail } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import type { Db } from '#platform/db/db.ts';
import type { App } from '#platform/http/app.ts';
import { createServer } from '#platform/http/server.ts';

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | number | undefined>;
  // biome-ignore lint/suspicious/noExplicitAny: bodies of every shape; the assertions say which
  body: any;
}

export type Call = (method: string, url: string, body?: unknown, token?: string | null) => Promise<Answer>;

export interface TestGateway {
  call: Call;
  /** With headers; a text or bytes are sent as they are. */
  send(
    method: string,
    url: string,
    body: unknown,
    headers: Record<string, string>,
    token?: string | null,
  ): Promise<Answer>;
  /** A token for a workspace; an owner's scopes unless others are given. */
  grant(workspaceId: string, scopes?: readonly string[]): string;
}

/** The real gateway around some rooms' routes, with tokens that the test hands out itself. */
export async function testGateway(db: Db, register: (app: App) => Promise<void> | void): Promise<TestGateway> {
  const tokens = new Map<string, Principal>();
  const app = await createServer({
    log: pino({ level: 'silent' }),
    db,
    limits: { workspace: 100_000, anonymous: 100_000 },
    version: 'test',
    authenticate: async (request) => {
      const token = request.headers.authorization?.replace('Bearer ', '');
      if (token === undefined) return null;
      const principal = tokens.get(token);
      if (!principal) throw fail('invalid_token', 'The token is not valid.');
      return principal;
    },
  });
  await register(app);
  await app.ready();
  after(() => app.close());
  let standard = '';
  const send: TestGateway['send'] = async (method, url, body, headers, token = standard) => {
    const answer = await app.inject({
      method: method as 'GET',
      url,
      headers: { ...headers, ...(token === null ? {} : { authorization: `Bearer ${token}` }) },
      ...(body === undefined ? {} : { payload: body as object }),
    });
    const json = answer.body !== '' && /json/.test(String(answer.headers['content-type']));
    return { status: answer.statusCode, headers: answer.headers, body: json ? answer.json() : answer.body };
  };
  return {
    send,
    grant(workspace_id, scopes = ROLE_SCOPES.owner) {
      const token = newId();
      const user_id = newId();
      const person = { kind: 'token', user_id, username: 'tester', role: 'owner', operator: false } as const;
      tokens.set(token, { ...person, workspace_id, scopes, credential_id: token });
      standard ||= token;
      return token;
    },
    call: (method, url, body, token) => send(method, url, body, {}, token),
  };
}
