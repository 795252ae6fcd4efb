import { after } from 'node:test';
import pino from 'pino';
import type { Mail } from '#contract/mail.ts';
import { type IdentityOptions, openIdentity } from '#features/identity/identity.ts';
import { rows, sql } from '#platform/db/db.ts';
import { createServer } from '#platform/http/server.ts';
import { type TestDatabase, testDatabase } from './database.ts';

export interface Reply {
  status: number;
  headers: Record<string, string | string[] | number | undefined>;
  // biome-ignore lint/suspicious/noExplicitAny: bodies of every shape; the assertions say which
  body: any;
}

export interface CallOptions {
  token?: string;
  headers?: Record<string, string>;
  address?: string;
}

export interface Gateway {
  database: TestDatabase;
  time: { now: Date; monotonic: number };
  mails: Mail[];
  call(method: string, url: string, body?: unknown, options?: CallOptions): Promise<Reply>;
  /** A fresh account, signed in. */
  signUp(name: string): Promise<Person>;
  /** Actions in the audit log since the last call, oldest first. */
  audited(): Promise<string[]>;
}

export interface Person {
  id: string;
  username: string;
  email: string;
  workspace_id: string;
  token: string;
}

export const PASSWORD = 'Secreta123';

/** The gateway with the identity room only, on a database of its own; several may share one database. */
export async function identityGateway(options: Partial<IdentityOptions> = {}, shared?: TestDatabase): Promise<Gateway> {
  const database = shared ?? (await testDatabase());
  const time = { now: new Date(), monotonic: 0 };
  const mails: Mail[] = [];
  const identity = await openIdentity({
    db: database.db,
    pool: database.pool,
    clock: { now: () => time.now, monotonic: () => time.monotonic },
    publicUrl: 'https://caudal.example.org',
    sendMail: async (mail) => {
      mails.push(mail);
    },
    ...options,
  });
  const app = await createServer({
    log: pino({ level: 'silent' }),
    db: database.db,
    limits: { workspace: 10_000, anonymous: 10_000 },
    version: 'test',
    authenticate: identity.authenticate,
  });
  identity.routes(app);
  await app.ready();
  after(() => app.close());

  const call: Gateway['call'] = async (method, url, body, { token, headers = {}, address = '192.0.2.1' } = {}) => {
    const answer = await app.inject({
      method: method as 'GET',
      url,
      remoteAddress: address,
      headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...headers },
      ...(body === undefined ? {} : { payload: body as object }),
    });
    const json = answer.body !== '' && /json/.test(String(answer.headers['content-type']));
    return { status: answer.statusCode, headers: answer.headers, body: json ? answer.json() : answer.body };
  };

  let seen = '00000000-0000-0000-0000-000000000000';
  return {
    database,
    time,
    mails,
    call,
    async signUp(name) {
      const email = `${name}@example.org`;
      const made = await call('POST', '/auth/signup', {
        username: name,
        email,
        password: PASSWORD,
        password_2: PASSWORD,
      });
      if (made.status !== 201) throw new Error(`sign-up of ${name}: ${JSON.stringify(made.body)}`);
      const { body } = await call('POST', '/auth/login', { email, password: PASSWORD });
      return { ...made.body, token: body.token };
    },
    async audited() {
      const found = await rows(
        database.db,
        sql<{ id: string; action: string }>`SELECT id, action FROM audit_log WHERE id > ${seen} ORDER BY id`,
      );
      seen = found.at(-1)?.id ?? seen;
      return found.map((row) => row.action);
    },
  };
}
